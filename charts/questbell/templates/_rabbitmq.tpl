{{/*
How the bundled RabbitMQ is configured. The definitions are read at every start, so the Secret has the last word on the
password; the image's own variables would count only once. They hold the password, therefore they are written by the
container itself into its memory.
*/}}
{{- define "questbell.rabbitmq.files" -}}
questbell.conf: |
  load_definitions = /run/questbell/definitions.json
  {{- with .Values.timing.consumerTimeout }}
  consumer_timeout = {{ mulf . 1000 | int64 }}
  {{- end }}
start.sh: |
  set -eu
  # Erlang makes a table with room for every file that it may open, and some nodes allow a billion.
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
