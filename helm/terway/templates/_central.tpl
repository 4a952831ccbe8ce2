{{/* Whether some node has its addresses from the control plane: its eni_conf says `ipam_type: crd`. */}}
{{- define "terway.someCentral" -}}
{{- $found := eq (.Values.eniConf.ipam_type | default "default") "crd" }}
{{- range $conf := .Values.nodeConfigs }}
{{- if eq ($conf.ipam_type | default "default") "crd" }}{{ $found = true }}{{ end }}
{{- end }}
{{- if $found }}true{{ end }}
{{- end }}

{{/* Whether every node has: then none calls the cloud, and none gets a credential. */}}
{{- define "terway.allCentral" -}}
{{- $all := eq (.Values.eniConf.ipam_type | default "default") "crd" }}
{{- range $conf := .Values.nodeConfigs }}
{{- if ne ($conf.ipam_type | default "crd") "crd" }}{{ $all = false }}{{ end }}
{{- end }}
{{- if $all }}true{{ end }}
{{- end }}

{{/* The Secret as far as nodes need it. */}}
{{- define "terway.nodeCredentialSecret" -}}
{{- if not (include "terway.allCentral" .) }}{{ include "terway.credentialSecret" . }}{{ end -}}
{{- end }}

{{/* RAM role as far as nodes need it. */}}
{{- define "terway.nodeRole" -}}
{{- if not (include "terway.allCentral" .) }}{{ .Values.credentials.rrsa.roleArn }}{{ end -}}
{{- end }}

{{/* ctrl-config.yaml; with centralized IPAM its controller runs, whatever else `controllers` selects. */}}
{{- define "terway.ctrlConfig" -}}
{{- $config := deepCopy .Values.controlPlane.config }}
{{- if include "terway.someCentral" . }}
{{- $_ := set $config "centralizedIPAM" true }}
{{- $controllers := $config.controllers | default list }}
{{- if not (or (has "multi-ip-node" $controllers) (has "*" $controllers)) }}
{{- $_ := set $config "controllers" (append $controllers "multi-ip-node") }}
{{- end }}
{{- end }}
{{- $config | toYaml }}
{{- end }}
