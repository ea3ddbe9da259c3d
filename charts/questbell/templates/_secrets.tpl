{{/*
Passwords are generated once. Later renderings look them up in the existing Secret, which is kept on uninstall together
with the volumes, so upgrades, rollbacks and reinstallations find the password that the data was created with. One
rendering needs the same password several times (the Secret, its URL, the checksums), so a generated value is cached in
the rendering's context.
*/}}
{{- define "questbell.kept" -}}
{{- $id := printf "%s/%s" .secret .key -}}
{{- if not (hasKey .root "questbellKept") }}{{ $_ := set .root "questbellKept" dict }}{{ end -}}
{{- if not (hasKey .root.questbellKept $id) -}}
  {{- $data := (lookup "v1" "Secret" .root.Release.Namespace .secret).data | default dict -}}
  {{- $_ := set .root.questbellKept $id (get $data .key | b64dec | default (randAlphaNum 32)) -}}
{{- end -}}
{{- get .root.questbellKept $id -}}
{{- end }}

{{- define "questbell.postgresql.password" -}}
{{ include "questbell.kept" (dict "root" . "secret" (printf "%s-postgresql" (include "questbell.fullname" .)) "key" "password") }}
{{- end }}

{{- define "questbell.rabbitmq.password" -}}
{{ include "questbell.kept" (dict "root" . "secret" (printf "%s-rabbitmq" (include "questbell.fullname" .)) "key" "password") }}
{{- end }}

{{- define "questbell.postgresql.url" -}}
postgresql://questbell:{{ include "questbell.postgresql.password" . }}@{{ include "questbell.fullname" . }}-postgresql:5432/questbell
{{- end }}

{{- define "questbell.rabbitmq.url" -}}
amqp://questbell:{{ include "questbell.rabbitmq.password" . }}@{{ include "questbell.fullname" . }}-rabbitmq:5672/
{{- end }}

{{- define "questbell.discord.token" -}}
{{- if .Values.discord.sandbox.enabled -}}
{{ include "questbell.kept" (dict "root" . "secret" (printf "%s-discord" (include "questbell.fullname" .)) "key" "DISCORD_TOKEN") }}
{{- else -}}
{{ .Values.discord.token }}
{{- end -}}
{{- end }}

{{/*
The location of each secret, as YAML: the Secret's name, the key in it, and the value if the chart created the Secret. A
change of that value restarts the workload. The template is named after the environment variable.
*/}}
{{- define "questbell.secret.QUESTBELL_DATABASE_URL" -}}
{{- $fullname := include "questbell.fullname" . -}}
{{- if .Values.postgresql.enabled -}}
{{- $own := not .Values.postgresql.auth.existingSecret -}}
name: {{ default (printf "%s-postgresql" $fullname) .Values.postgresql.auth.existingSecret }}
key: url
value: {{ ternary (include "questbell.postgresql.url" .) "" $own | quote }}
{{- else if .Values.externalPostgresql.existingSecret.name -}}
name: {{ .Values.externalPostgresql.existingSecret.name }}
key: {{ .Values.externalPostgresql.existingSecret.key }}
value: ""
{{- else -}}
name: {{ $fullname }}-external-postgresql
key: url
value: {{ .Values.externalPostgresql.url | quote }}
{{- end -}}
{{- end }}

{{- define "questbell.secret.QUESTBELL_AMQP_URL" -}}
{{- $fullname := include "questbell.fullname" . -}}
{{- if .Values.rabbitmq.enabled -}}
{{- $own := not .Values.rabbitmq.auth.existingSecret -}}
name: {{ default (printf "%s-rabbitmq" $fullname) .Values.rabbitmq.auth.existingSecret }}
key: url
value: {{ ternary (include "questbell.rabbitmq.url" .) "" $own | quote }}
{{- else if .Values.externalRabbitmq.existingSecret.name -}}
name: {{ .Values.externalRabbitmq.existingSecret.name }}
key: {{ .Values.externalRabbitmq.existingSecret.key }}
value: ""
{{- else -}}
name: {{ $fullname }}-external-rabbitmq
key: url
value: {{ .Values.externalRabbitmq.url | quote }}
{{- end -}}
{{- end }}

{{- define "questbell.secret.DISCORD_TOKEN" -}}
{{- if .Values.discord.existingSecret.name -}}
name: {{ .Values.discord.existingSecret.name }}
key: {{ .Values.discord.existingSecret.key }}
value: ""
{{- else -}}
name: {{ include "questbell.fullname" . }}-discord
key: DISCORD_TOKEN
value: {{ include "questbell.discord.token" . | quote }}
{{- end -}}
{{- end }}

{{/* A volume with one file for each environment variable, from all their Secrets: (dict "root" $ "name" … "variables" (list …)). */}}
{{- define "questbell.secretsVolume" -}}
{{- $root := .root -}}
- name: {{ .name }}
  projected:
    defaultMode: 0440
    sources:
      {{- range .variables }}
      {{- $secret := include (printf "questbell.secret.%s" .) $root | fromYaml }}
      - secret:
          name: {{ $secret.name }}
          items:
            - key: {{ $secret.key }}
              path: {{ . }}
      {{- end }}
{{- end }}

{{/* A checksum of the secrets that the chart creates. A Deployment restarts its pods when it changes. */}}
{{- define "questbell.secretsChecksum" -}}
{{- $root := .root -}}
{{- $values := list -}}
{{- range .variables }}
{{- $values = append $values (include (printf "questbell.secret.%s" .) $root | fromYaml).value -}}
{{- end -}}
{{ $values | toJson | sha256sum }}
{{- end }}

{{/* A Secret created by the chart; "keep" keeps it on uninstall, with the data it protects: (dict "root" $ "component" … "data" (dict …) "keep" bool). */}}
{{- define "questbell.ownSecret" -}}
apiVersion: v1
kind: Secret
metadata:
  {{- include "questbell.metadata" . | nindent 2 }}
  {{- if .keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
type: Opaque
data:
  {{- range $key, $value := .data }}
  {{ $key }}: {{ $value | b64enc | quote }}
  {{- end }}
{{- end }}
