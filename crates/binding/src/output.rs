//! Objects that go to JavaScript; the fields are those of `ts/model/src/attachment.ts`.

use napi_derive::napi;

/// An expected failure.
#[napi(object, object_from_js = false)]
pub struct DatapathError {
    #[napi(
        ts_type = "'netns_gone' | 'interface_exists' | 'eni_not_found' | 'invalid_attachment' | 'deadline' | 'kernel' | 'unsupported' | 'full'"
    )]
    pub code: String,
    pub message: String,
    pub object: Option<String>,
    pub errno: Option<i32>,
}

/// What an attach made.
#[napi(object, object_from_js = false)]
pub struct AttachResult {
    pub host_if_name: String,
    pub host_if_index: u32,
    pub host_mac: String,
    pub pod_mac: String,
    pub pod_if_index: u32,
    pub renamed_holder: Option<String>,
    pub unenforced: Vec<String>,
    pub steps: u32,
    pub duration_us: f64,
}

/// Either the result or the failure.
#[napi(object, object_from_js = false)]
pub struct AttachOutcome {
    pub value: Option<AttachResult>,
    pub error: Option<DatapathError>,
}

/// One difference.
#[napi(object, object_from_js = false)]
pub struct Drift {
    #[napi(js_name = "where", ts_type = "'host' | 'pod'")]
    pub place: String,
    pub kind: String,
    pub object: String,
    #[napi(ts_type = "'missing' | 'different' | 'unexpected'")]
    pub problem: String,
    pub detail: Option<String>,
}

/// Either the differences or the failure.
#[napi(object, object_from_js = false)]
pub struct CheckOutcome {
    pub value: Option<Vec<Drift>>,
    pub error: Option<DatapathError>,
}

/// How a detach ended.
#[napi(object, object_from_js = false)]
pub struct DetachResult {
    pub already_gone: bool,
    pub failures: Vec<DatapathError>,
}

/// What a collection removed.
#[napi(object, object_from_js = false)]
pub struct CollectResult {
    pub removed: Vec<String>,
    pub failures: Vec<DatapathError>,
}

/// What became of a takeover.
#[napi(object, object_from_js = false)]
pub struct TakenOver {
    pub hooks: u32,
    pub failures: Vec<DatapathError>,
}

/// Either that, or the failure, or nothing: there was nothing to take over.
#[napi(object, object_from_js = false)]
pub struct TakeOverOutcome {
    pub value: Option<TakenOver>,
    pub error: Option<DatapathError>,
}

/// A host end with our mark.
#[napi(object, object_from_js = false)]
pub struct SurveyedLink {
    pub id: String,
    pub host_if_name: String,
    pub addresses: Vec<String>,
}

/// Either the links or the failure.
#[napi(object, object_from_js = false)]
pub struct SurveyOutcome {
    pub value: Option<Vec<SurveyedLink>>,
    pub error: Option<DatapathError>,
}

/// One attachment that was not as wanted.
#[napi(object, object_from_js = false)]
pub struct Repair {
    pub attachment_id: String,
    #[napi(ts_type = "'notification' | 'scan'")]
    pub trigger: String,
    pub drifts: Vec<Drift>,
    pub failures: Vec<DatapathError>,
}

/// The node's own addresses.
#[napi(object, object_from_js = false)]
pub struct HostAddresses {
    pub ipv4: Option<String>,
    pub ipv6: Option<String>,
    pub mtu: u32,
    pub if_name: String,
}

/// Numbers.
#[napi(object, object_from_js = false)]
pub struct DatapathStatus {
    pub attachments: u32,
    pub delete_backlog: u32,
    pub kernel_release: String,
}

/// One thing that a kernel may lack.
#[napi(object, object_from_js = false)]
pub struct KernelFeature {
    pub name: String,
    pub available: bool,
    pub reason: Option<String>,
}

/// What the running kernel can do.
#[napi(object, object_from_js = false)]
pub struct KernelCapabilities {
    pub release: String,
    pub features: Vec<KernelFeature>,
}

/// Where connections that symmetric routing answers come in.
#[napi(object, object_from_js = false)]
pub struct Entrance {
    pub interface: String,
    #[napi(ts_type = "Array<'ipv4' | 'ipv6'>")]
    pub families: Vec<String>,
}

/// Either the entrance (none: switched off) or the failure.
#[napi(object, object_from_js = false)]
pub struct SymmetricRoutingOutcome {
    pub value: Option<Entrance>,
    pub error: Option<DatapathError>,
}
