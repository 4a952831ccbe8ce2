//! The CNI environment: which variables a verb needs, and whether their values are possible.

use std::env::VarError;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::code;
use crate::failure::Failure;
use crate::name;
use crate::verb::Verb;

/// The variables that go to the daemon; an unset one and an empty one are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `CNI_COMMAND`.
    pub verb: Verb,
    /// `CNI_CONTAINERID`.
    pub container_id: String,
    /// `CNI_NETNS`.
    pub netns: String,
    /// `CNI_IFNAME`.
    pub if_name: String,
    /// `CNI_ARGS`.
    pub args: String,
    /// `CNI_PATH`.
    pub path: String,
}

/// Reads one variable of the process.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<String, VarError>;

/// Reads and checks the environment for `verb`.
///
/// # Errors
/// Code 4 that names every variable at fault, not only the first; code 8 if the container's namespace is our own.
pub fn read(verb: Verb, lookup: Lookup<'_>) -> Result<Environment, Failure> {
    let mut faults = Vec::new();
    let mut get = |name: &str, needed: bool| match lookup(name) {
        Ok(value) if value.is_empty() && needed => fault(&mut faults, name, "is missing"),
        Ok(value) if value.contains('\0') => fault(&mut faults, name, "contains a zero byte"),
        Ok(value) => value,
        Err(VarError::NotPresent) if needed => fault(&mut faults, name, "is missing"),
        Err(VarError::NotPresent) => String::new(),
        Err(VarError::NotUnicode(_)) => fault(&mut faults, name, "is not UTF-8"),
    };
    let mut environment = Environment {
        verb,
        container_id: get("CNI_CONTAINERID", verb.needs_container()),
        netns: get("CNI_NETNS", verb.needs_netns()),
        if_name: get("CNI_IFNAME", verb.needs_container()),
        args: get("CNI_ARGS", false),
        path: get("CNI_PATH", verb.needs_path()),
    };
    if verb.needs_container() {
        if !environment.container_id.is_empty() && !name::is_identifier(&environment.container_id) {
            fault(
                &mut faults,
                "CNI_CONTAINERID",
                "must start with a letter or digit and hold only those, _, . and -",
            );
        }
        if let Some(reason) = name::interface_fault(&environment.if_name) {
            fault(&mut faults, "CNI_IFNAME", reason);
        }
    }
    // A DEL with odd arguments must still remove the pod, so only ADD insists on their form.
    if verb == Verb::Add
        && environment
            .args
            .split(';')
            .any(|pair| !pair.is_empty() && !pair.contains('='))
    {
        fault(&mut faults, "CNI_ARGS", "must be KEY=VALUE pairs separated by ;");
    }
    let place = if environment.netns.is_empty() {
        Place::Gone
    } else {
        place(Path::new(&environment.netns))
    };
    if verb.needs_netns() && !environment.netns.is_empty() {
        match place {
            Place::Gone => drop(fault(&mut faults, "CNI_NETNS", "does not exist")),
            Place::NoNamespace => drop(fault(&mut faults, "CNI_NETNS", "is not a namespace")),
            Place::Own | Place::Other => {}
        }
    }
    if !faults.is_empty() {
        return Err(Failure::new(
            code::INVALID_ENVIRONMENT,
            format!("environment: {}", faults.join("; ")),
        ));
    }
    let overridden = matches!(
        lookup("CNI_NETNS_OVERRIDE").unwrap_or_default().to_ascii_uppercase().as_str(),
        "1" | "TRUE"
    );
    if place == Place::Own && !overridden {
        if verb.needs_netns() {
            let msg = format!(
                "environment: CNI_NETNS {} is the namespace that the plugin itself runs in",
                environment.netns
            );
            return Err(Failure::new(code::INVALID_NETNS, msg));
        }
        // DEL: the node's side still has to go, and nothing may be touched in the node's own namespace.
        environment.netns.clear();
    }
    Ok(environment)
}

fn fault(faults: &mut Vec<String>, name: &str, reason: &str) -> String {
    faults.push(format!("{name} {reason}"));
    String::new()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Gone,
    NoNamespace,
    Own,
    Other,
}

/// All namespaces of the machine live on one device (nsfs), so two `stat` calls tell a namespace from a file, and ours from
/// another. That it is a *network* namespace only `setns` can tell, which is the daemon's to do.
fn place(netns: &Path) -> Place {
    let (Ok(theirs), Ok(ours)) = (fs::metadata(netns), fs::metadata("/proc/self/ns/net")) else {
        return Place::Gone;
    };
    if theirs.dev() != ours.dev() {
        Place::NoNamespace
    } else if theirs.ino() == ours.ino() {
        Place::Own
    } else {
        Place::Other
    }
}
