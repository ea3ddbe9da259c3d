{{/*
Names and labels. Objects are named after the release, so that two releases do not collide. Names are quoted wherever they
are a value: YAML reads a release called `n`, `on` or `123` as another type.
*/}}

{{/* The chart's name, or the alias of a dependency, which may be in camel case. */}}
{{- define "questbell.name" -}}
{{- $chart := ternary (.Chart.Name | replace "." "-" | kebabcase) .Chart.Name (regexMatch "[A-Z_.]" .Chart.Name) -}}
{{ default $chart .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/*
Truncated to leave room for the suffixes of StatefulSet pods: a hostname has at most 63 characters. The name of a Service
has no dots and starts with a letter, but a release's name may.
*/}}
{{- define "questbell.fullname" -}}
{{- $name := include "questbell.name" . -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if regexMatch "^[0-9]" $release -}}
{{ printf "questbell-%s" $release | trunc 40 | trimSuffix "-" }}
{{- else if contains $name $release -}}
{{ $release | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" $release $name | trunc 40 | trimSuffix "-" }}
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
app.kubernetes.io/name: {{ include "questbell.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "questbell.chartLabels" -}}
{{ include "questbell.selectorLabels" . }}
app.kubernetes.io/part-of: questbell
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
{{- end }}

{{/* Labels of an object. Those of the chart are not overridden, because selectors use them. */}}
{{- define "questbell.labels" -}}
{{ merge (include "questbell.chartLabels" . | fromYaml) (.labels | default dict) (.root.Values.commonLabels | default dict) | toYaml }}
{{- end }}

{{/* Metadata of a component's object, whose name ends in the component's: (dict "root" $ "component" … "labels" (dict …)
     "annotations" (dict …)); the last two are optional. */}}
{{- define "questbell.metadata" -}}
name: {{ printf "%s-%s" (include "questbell.fullname" .root) .component | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "questbell.labels" . | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Metadata of a component's pods: (dict "root" $ "component" … "values" .Values.bot "checksums" (dict …)). The labels contain
     no version, so that an upgrade restarts only the pods it changes. */}}
{{- define "questbell.podMetadata" -}}
{{- $own := dict "app.kubernetes.io/part-of" "questbell" -}}
labels:
  {{- merge (include "questbell.selectorLabels" . | fromYaml) $own (.values.podLabels | default dict) (.root.Values.commonLabels | default dict) | toYaml | nindent 2 }}
annotations:
  {{- /* For kubectl exec and kubectl logs, which otherwise print a line about other containers, such as a mesh's. */}}
  {{- $chart := merge (dict "kubectl.kubernetes.io/default-container" .component) .checksums }}
  {{- merge (dict) (.values.podAnnotations | default dict) $chart | toYaml | nindent 2 }}
{{- end }}

{{/* An image: (dict "image" .Values.image "tag" "the default"). A digest is used instead of the tag. */}}
{{- define "questbell.image" -}}
{{- if .image.digest -}}
{{ printf "%s@%s" .image.repository .image.digest | quote }}
{{- else -}}
{{ printf "%s:%s" .image.repository (default .tag .image.tag) | quote }}
{{- end -}}
{{- end }}

{{- define "questbell.discordUrl" -}}
http://{{ include "questbell.fullname" . }}-discord:8090
{{- end }}
