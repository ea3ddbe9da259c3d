{{/*
Allowed traffic. DNS is allowed to any address, because node-local caches are outside the pod network. The API server and
external servers have no pods to select, so they are identified by port.
*/}}

{{/* (dict "root" $ "component" "bot" "rules" "ingress and egress, as YAML"). */}}
{{- define "questbell.networkPolicy" -}}
{{- if .root.Values.networkPolicy.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "questbell.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "questbell.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- .rules | nindent 2 }}
{{- end -}}
{{- end }}

{{- define "questbell.peer" -}}
- podSelector:
    matchLabels:
      {{- include "questbell.selectorLabels" . | nindent 6 }}
{{- end }}

{{- define "questbell.ports" -}}
ports:
  {{- range . }}
  - {port: {{ . }}, protocol: TCP}
  {{- end }}
{{- end }}

{{- define "questbell.fromMetrics" -}}
- from:
    {{- .Values.networkPolicy.metricsFrom | default (list (dict "namespaceSelector" dict)) | toYaml | nindent 4 }}
  {{- include "questbell.ports" (list 8080) | nindent 2 }}
{{- end }}

{{- define "questbell.fromTest" -}}
- from:
    {{- include "questbell.peer" (dict "root" . "component" "test") | nindent 4 }}
  {{- include "questbell.ports" (list 8080) | nindent 2 }}
{{- end }}

{{- define "questbell.toDns" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end }}

{{- define "questbell.toServers" -}}
{{- if .Values.postgresql.enabled -}}
- to:
    {{- include "questbell.peer" (dict "root" . "component" "postgresql") | nindent 4 }}
  {{- include "questbell.ports" (list 5432) | nindent 2 }}
{{- else -}}
- {{ include "questbell.ports" .Values.networkPolicy.databasePorts | nindent 2 | trim }}
{{- end }}
{{ if .Values.rabbitmq.enabled -}}
- to:
    {{- include "questbell.peer" (dict "root" . "component" "rabbitmq") | nindent 4 }}
  {{- include "questbell.ports" (list 5672) | nindent 2 }}
{{- else -}}
- {{ include "questbell.ports" .Values.networkPolicy.brokerPorts | nindent 2 | trim }}
{{- end }}
{{- end }}

{{- define "questbell.toDiscord" -}}
{{- if .Values.discord.sandbox.enabled -}}
- to:
    {{- include "questbell.peer" (dict "root" . "component" "discord") | nindent 4 }}
  {{- include "questbell.ports" (list 8090) | nindent 2 }}
{{- else -}}
- {{ include "questbell.ports" .Values.networkPolicy.discordPorts | nindent 2 | trim }}
{{- end }}
{{- end }}

{{/* Ingress from components of this release: (dict "root" $ "port" 5432 "components" (list …)). */}}
{{- define "questbell.fromComponents" -}}
- from:
    {{- $root := .root }}
    {{- range .components }}
    {{- include "questbell.peer" (dict "root" $root "component" .) | nindent 4 }}
    {{- end }}
  {{- include "questbell.ports" (list .port) | nindent 2 }}
{{- end }}
