{{/* Names and labels. Objects are named after the release, so that those of two never collide. */}}

{{- define "questbell.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Short enough that a pod of a StatefulSet still has room for what follows it: 63 characters are a hostname's limit. */}}
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

{{/* What selects the pods of a component: (dict "root" $ "component" "bot"). It must never change. */}}
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

{{/* Of pods: without versions, so that an upgrade restarts only what it changes. */}}
{{- define "questbell.podLabels" -}}
{{ include "questbell.selectorLabels" . }}
app.kubernetes.io/part-of: questbell
{{- end }}

{{/* The metadata of an object of a component; its name ends in the component's. */}}
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
