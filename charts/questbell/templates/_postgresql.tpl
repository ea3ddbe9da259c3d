{{/*
The accounts of the bundled PostgreSQL, set at every start, so a new password in the Secret takes effect. The image creates
accounts only with a new data directory. The superuser has no password: it can log in only from within the pod.
*/}}
{{- define "questbell.postgresql.files" -}}
set-accounts.sh: |
{{ .Files.Get "files/set-accounts.sh" | indent 2 }}
set-accounts.sql: |
{{ .Files.Get "files/set-accounts.sql" | indent 2 }}
{{- end }}

{{- define "questbell.postgresql.env" -}}
{{- $owner := dict "root" . "account" "postgresql-owner" -}}
- name: POSTGRES_USER
  value: postgres
- name: POSTGRES_DB
  value: questbell
{{ include "questbell.passwordEnv" (dict "root" . "account" "postgresql" "name" "POSTGRES_PASSWORD") }}
{{- if include "questbell.hasAccount" $owner }}
{{ include "questbell.passwordEnv" (merge (dict "name" "OWNER_PASSWORD") $owner) }}
{{- end }}
# A subdirectory, because the mount point may contain lost+found.
- name: PGDATA
  value: /var/lib/postgresql/data/pgdata
{{- end }}

{{- define "questbell.postgresql.mounts" -}}
- name: data
  mountPath: /var/lib/postgresql/data
- name: config
  mountPath: /etc/questbell
  readOnly: true
- name: run
  mountPath: /var/run/postgresql
- name: tmp
  mountPath: /tmp
{{- end }}

{{- define "questbell.postgresql.volumes" -}}
- name: config
  configMap:
    name: {{ printf "%s-postgresql" (include "questbell.fullname" .) | quote }}
- name: run
  emptyDir: {}
- name: tmp
  emptyDir: {}
{{- if not .Values.postgresql.persistence.enabled }}
- name: data
  emptyDir: {}
{{- end }}
{{- end }}
