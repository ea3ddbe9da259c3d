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

{{/*
The location of an account's URL, as YAML: the Secret's name, the key in it, and the value if the chart created the Secret. A
change of that value restarts its readers: (dict "root" $ "account" "postgresql-owner").

`postgresql` is the account of the workloads and `postgresql-owner` that of the migrations; `rabbitmq` is the account of the
controllers and `rabbitmq-bot` that of the bot. Who brings only one Secret has one account for both.
*/}}
{{- define "questbell.account" -}}
{{- $values := .root.Values -}}
{{- $server := first (splitList "-" .account) -}}
{{- $part := trimPrefix $server .account | trimPrefix "-" -}}
{{- $own := printf "%s-%s" (include "questbell.fullname" .root) .account -}}
{{- if (get $values $server).enabled -}}
{{- $auth := (get $values $server).auth -}}
{{- with get $auth (printf "existing%sSecret" (title $part)) -}}
{{ dict "secret" . "key" "url" "value" "" | toYaml }}
{{- else -}}
{{- if and $part $auth.existingSecret -}}
{{ include "questbell.account" (dict "root" .root "account" $server) }}
{{- else -}}
{{ dict "secret" $own "key" "url" "value" (include (printf "questbell.%s.url" $server) .) | toYaml }}
{{- end -}}
{{- end -}}
{{- else -}}
{{- $external := get $values (printf "external%s" (title $server)) -}}
{{- $given := ternary (get $external $part) $external (ne $part "") -}}
{{- if $given.existingSecret.name -}}
{{ dict "secret" $given.existingSecret.name "key" $given.existingSecret.key "value" "" | toYaml }}
{{- else if or $given.url (not $part) -}}
{{ dict "secret" (printf "%s-external-%s" (include "questbell.fullname" .root) .account) "key" "url" "value" $given.url | toYaml }}
{{- else -}}
{{ include "questbell.account" (dict "root" .root "account" $server) }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The password of an account that the chart creates. */}}
{{- define "questbell.password" -}}
{{ include "questbell.kept" (dict "root" .root "secret" (printf "%s-%s" (include "questbell.fullname" .root) .account) "key" "password") }}
{{- end }}

{{/* The name of an account on a bundled server. */}}
{{- define "questbell.user" -}}
{{ .account | replace "postgresql" "questbell" | replace "rabbitmq" "questbell" | replace "-" "_" }}
{{- end }}

{{- define "questbell.postgresql.url" -}}
postgresql://{{ include "questbell.user" . }}:{{ include "questbell.password" . }}@{{ include "questbell.fullname" .root }}-postgresql:5432/questbell
{{- end }}

{{- define "questbell.rabbitmq.url" -}}
amqp://{{ include "questbell.user" . }}:{{ include "questbell.password" . }}@{{ include "questbell.fullname" .root }}-rabbitmq:5672/
{{- end }}

{{/* The variable of a bundled server with the password of an account: (dict "root" $ "account" … "name" …). */}}
{{- define "questbell.passwordEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ (include "questbell.account" . | fromYaml).secret | quote }}
      key: password
{{- end }}

{{/* Whether a server has an account apart from the one for the rest. */}}
{{- define "questbell.hasAccount" -}}
{{- $main := include "questbell.account" (dict "root" .root "account" (first (splitList "-" .account))) -}}
{{- ne (include "questbell.account" .) $main | ternary "true" "" -}}
{{- end }}

{{/* The Secret of an account, if the chart creates it: (dict "root" $ "account" "postgresql-owner"). */}}
{{- define "questbell.accountSecret" -}}
{{- $server := get .root.Values (first (splitList "-" .account)) -}}
{{- $location := include "questbell.account" . | fromYaml -}}
{{- if eq $location.secret (printf "%s-%s" (include "questbell.fullname" .root) .account) -}}
{{- $data := dict "password" (include "questbell.password" .) "url" $location.value -}}
{{ include "questbell.ownSecret" (dict "root" .root "component" .account "data" $data "keep" $server.persistence.enabled) }}
{{- else if eq $location.secret (printf "%s-external-%s" (include "questbell.fullname" .root) .account) -}}
{{ include "questbell.ownSecret" (dict "root" .root "component" (printf "external-%s" .account) "data" (dict "url" $location.value)) }}
{{- end -}}
{{- end }}

{{- define "questbell.discord.token" -}}
{{- if .Values.discord.sandbox.enabled -}}
{{ include "questbell.kept" (dict "root" . "secret" (printf "%s-discord" (include "questbell.fullname" .)) "key" "DISCORD_TOKEN") }}
{{- else -}}
{{ .Values.discord.token }}
{{- end -}}
{{- end }}

{{/* The location of the Discord token, as that of an account. */}}
{{- define "questbell.token" -}}
{{- with .root.Values.discord.existingSecret -}}
{{- if .name -}}
{{ dict "secret" .name "key" .key "value" "" | toYaml }}
{{- else -}}
{{ dict "secret" (printf "%s-discord" (include "questbell.fullname" $.root)) "key" "DISCORD_TOKEN" "value" (include "questbell.discord.token" $.root) | toYaml }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The secrets of each pod: the account for each environment variable, as YAML. */}}
{{- define "questbell.secretsOf" -}}
{{- if eq . "migrate" -}}
{QUESTBELL_DATABASE_URL: postgresql, QUESTBELL_DATABASE_OWNER_URL: postgresql-owner}
{{- else if eq . "controllers" -}}
{QUESTBELL_DATABASE_URL: postgresql, QUESTBELL_AMQP_URL: rabbitmq}
{{- else if eq . "bot" -}}
{QUESTBELL_DATABASE_URL: postgresql, QUESTBELL_AMQP_URL: rabbitmq-bot, DISCORD_TOKEN: discord}
{{- else if eq . "discord" -}}
{DISCORD_TOKEN: discord}
{{- end -}}
{{- end }}

{{- define "questbell.location" -}}
{{- if eq .account "discord" }}{{ include "questbell.token" . }}{{ else }}{{ include "questbell.account" . }}{{ end -}}
{{- end }}

{{/* The mode of files with secrets. Only the pod's group may read them, if the chart sets one. */}}
{{- define "questbell.secretMode" -}}
{{- $context := include "questbell.podSecurityContext" (dict "root" . "uid" 65532) | fromYaml -}}
{{ ternary "0440" "0444" (hasKey $context "fsGroup") }}
{{- end }}

{{/* A volume with one file for each environment variable, from all their Secrets: (dict "root" $ "name" … "of" "bot"). */}}
{{- define "questbell.secretsVolume" -}}
{{- $root := .root -}}
- name: {{ .name }}
  projected:
    defaultMode: {{ include "questbell.secretMode" .root }}
    sources:
      {{- range $variable, $account := include "questbell.secretsOf" .of | fromYaml }}
      {{- $location := include "questbell.location" (dict "root" $root "account" $account) | fromYaml }}
      - secret:
          name: {{ $location.secret | quote }}
          items:
            - key: {{ $location.key | quote }}
              path: {{ $variable }}
      {{- end }}
{{- end }}

{{/* A checksum of the secrets that the chart creates. A workload restarts its pods when it changes: (dict "root" $ "accounts" (list …)). */}}
{{- define "questbell.secretsChecksum" -}}
{{- $root := .root -}}
{{- $values := list -}}
{{- range .accounts }}
{{- $values = append $values (include "questbell.location" (dict "root" $root "account" .) | fromYaml).value -}}
{{- end -}}
{{ $values | toJson | sha256sum }}
{{- end }}

{{/* A Secret created by the chart; "keep" keeps it on uninstall, with the data it protects: (dict "root" $ "component" … "data" (dict …) "keep" bool). */}}
{{- define "questbell.ownSecret" -}}
apiVersion: v1
kind: Secret
metadata:
  {{- $annotations := ternary (dict "helm.sh/resource-policy" "keep") dict (.keep | default false) }}
  {{- include "questbell.metadata" (merge (dict "annotations" $annotations) .) | nindent 2 }}
type: Opaque
data:
  {{- range $key, $value := .data }}
  {{ $key }}: {{ $value | b64enc | quote }}
  {{- end }}
{{- end }}
