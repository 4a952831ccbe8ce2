{{- define "terway.labels" -}}
app.kubernetes.io/name: terway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "terway.image" -}}
{{- with .Values.image -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end }}

{{- define "terway.serviceAccount" -}}
{{ .Values.serviceAccount.name }}
{{- end }}

{{- define "terway.credentialSecret" -}}
{{- .Values.credentials.existingSecret | default (ternary "terway-credentials" "" (ne .Values.credentials.accessKeyId "")) -}}
{{- end }}

{{/* Key of ConfigMap eni-config with what the daemon's CNI configuration is. */}}
{{- define "terway.cniKey" -}}
{{ ternary "10-terway.conflist" "10-terway.conf" (gt (len .Values.cniPlugins) 0) }}
{{- end }}

{{- define "terway.cniText" -}}
{{- if .Values.cniPlugins -}}
{{ dict "cniVersion" (.Values.cniConf.cniVersion | default "0.4.0") "name" (.Values.cniConf.name | default "terway") "plugins" .Values.cniPlugins | toPrettyJson }}
{{- else -}}
{{ .Values.cniConf | toPrettyJson }}
{{- end -}}
{{- end }}

{{/* Port of an address such as 0.0.0.0:8080. */}}
{{- define "terway.portOf" -}}
{{ . | splitList ":" | last }}
{{- end }}

{{/* The RAM role of the pod's service account (RRSA), as the official SDKs read it; nothing when none is set. */}}
{{- define "terway.roleEnvironment" -}}
{{- with .Values.credentials.rrsa }}
{{- if .roleArn -}}
- name: ALIBABA_CLOUD_ROLE_ARN
  value: {{ .roleArn | quote }}
- name: ALIBABA_CLOUD_OIDC_PROVIDER_ARN
  value: {{ .oidcProviderArn | quote }}
- name: ALIBABA_CLOUD_OIDC_TOKEN_FILE
  value: /var/run/secrets/ack.alibabacloud.com/rrsa-tokens/token
{{- end }}
{{- end }}
{{- end }}
