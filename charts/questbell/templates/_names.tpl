{{/* Names and labels. Objects are named after the release, so that two releases do not collide. */}}

{{- define "questbell.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Truncated to leave room for the suffixes of StatefulSet pods: a hostname has at most 63 characters. */}}
{{- define "questbell.fullname" -}}
{{- $name := include "questbell.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "questbell.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (printf "%s-controllers" (include "questbell.fullname" .)) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{/* Selector of a component's pods: (dict "root" $ "component" "bot"). Kubernetes does not allow it to change. */}}
{{- define "questbell.selectorLabels" -}}
app.kubernetes.io/name: {{ include "questbell.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "questbell.labels" -}}
{{ include "questbell.selectorLabels" . }}
app.kubernetes.io/part-of: questbell
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Pod labels. They contain no version, so that an upgrade restarts only the pods it changes. */}}
{{- define "questbell.podLabels" -}}
{{ include "questbell.selectorLabels" . }}
app.kubernetes.io/part-of: questbell
{{- end }}

{{/* Metadata of a component's object. The object's name ends in the component's name. */}}
{{- define "questbell.metadata" -}}
name: {{ include "questbell.fullname" .root }}-{{ .component }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "questbell.labels" . | nindent 2 }}
{{- end }}

{{- define "questbell.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{- define "questbell.discordUrl" -}}
http://{{ include "questbell.fullname" . }}-discord:8090
{{- end }}
