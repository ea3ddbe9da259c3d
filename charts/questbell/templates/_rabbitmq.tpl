{{/*
Configuration of the bundled RabbitMQ. The definitions are loaded at every start, so a new password in the Secret takes
effect; the image's own variables are read only at the first start. The definitions contain the password, so the container
writes them to a memory-backed volume.
*/}}
{{- define "questbell.rabbitmq.files" -}}
questbell.conf: |
  load_definitions = /run/questbell/definitions.json
  {{- with .Values.timing.consumerTimeout }}
  consumer_timeout = {{ mulf . 1000 | int64 }}
  {{- end }}
start.sh: |
  set -eu
  # Erlang allocates a table for the maximum number of open files, and some nodes allow a billion.
  ulimit -n 65536 2>/dev/null || true
  password=$(printf %s "$RABBITMQ_PASSWORD" | sed 's/[\\"]/\\&/g')
  unset RABBITMQ_PASSWORD
  umask 077
  cat >/run/questbell/definitions.json <<JSON
  {
    "users": [{"name": "questbell", "password": "$password", "tags": ["administrator"]}],
    "vhosts": [{"name": "/"}],
    "permissions": [{"user": "questbell", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}]
  }
  JSON
  exec docker-entrypoint.sh rabbitmq-server
{{- end }}
