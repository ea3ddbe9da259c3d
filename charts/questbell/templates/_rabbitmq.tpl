{{/*
Configuration of the bundled RabbitMQ. The definitions are loaded at every start, so a new password in the Secret takes
effect; the image's own variables are read only at the first start. The definitions contain the passwords, so the container
writes them to a memory-backed volume.

Nobody is an administrator. The controllers declare the exchange and the queues, which needs `amq.default` for the dead-letter
exchange. The bot only consumes. Without a separate account it uses that of the controllers.
*/}}
{{- define "questbell.rabbitmq.files" -}}
{{- $bot := include "questbell.hasAccount" (dict "root" . "account" "rabbitmq-bot") -}}
questbell.conf: |
  load_definitions = /run/questbell/definitions.json
  {{- with .Values.timing.consumerTimeout }}
  consumer_timeout = {{ mulf . 1000 | int64 }}
  {{- end }}
start.sh: |
  set -eu
  # Erlang allocates a table for the maximum number of open files, and some nodes allow a billion.
  ulimit -n 65536 2>/dev/null || true
  # The ports for management and metrics are open on IPv4 alone by default, unlike that for AMQP. Setting this in questbell.conf
  # was rejected: without IPv6, RabbitMQ would not start.
  if [ -e /proc/net/if_inet6 ]; then
    for listener in management:15672 prometheus:15692; do
      everywhere="[{port,${listener#*:}},{ip,{0,0,0,0,0,0,0,0}}]"
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="${RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:-} -rabbitmq_${listener%:*} tcp_config $everywhere"
    done
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS
  fi
  quoted() { printf %s "$1" | sed 's/[\\"]/\\&/g'; }
  password=$(quoted "$RABBITMQ_PASSWORD")
  {{- if $bot }}
  bot_password=$(quoted "$RABBITMQ_BOT_PASSWORD")
  {{- end }}
  unset RABBITMQ_PASSWORD RABBITMQ_BOT_PASSWORD
  umask 077
  cat >/run/questbell/definitions.json <<JSON
  {
    "users": [
      {{- if $bot }}
      {"name": "questbell_bot", "password": "$bot_password", "tags": []},
      {{- end }}
      {"name": "questbell", "password": "$password", "tags": []}
    ],
    "vhosts": [{"name": "/"}],
    "permissions": {{ include "questbell.rabbitmq.permissions" $bot | fromYamlArray | toJson }}
  }
  JSON
  # The image's entry point, if it is started as root, runs the server as this user.
  [ "$(id -u)" != 0 ] || chown rabbitmq /run/questbell/definitions.json
  exec docker-entrypoint.sh rabbitmq-server
{{- end }}

{{- define "questbell.rabbitmq.permissions" -}}
{{- $declared := "^(game_events|bot[.].*|amq[.]default)$" -}}
- {user: questbell, vhost: /, configure: {{ $declared | quote }}, write: {{ $declared | quote }}, read: {{ $declared | quote }}}
{{- if . }}
- {user: questbell_bot, vhost: /, configure: "^$", write: "^$", read: "^bot[.][a-z_]+$"}
{{- end }}
{{- end }}

{{- define "questbell.rabbitmq.env" -}}
{{- $bot := dict "root" . "account" "rabbitmq-bot" -}}
{{ include "questbell.passwordEnv" (dict "root" . "account" "rabbitmq" "name" "RABBITMQ_PASSWORD") }}
{{- if include "questbell.hasAccount" $bot }}
{{ include "questbell.passwordEnv" (merge (dict "name" "RABBITMQ_BOT_PASSWORD") $bot) }}
{{- end }}
{{- end }}

{{- define "questbell.rabbitmq.mounts" -}}
- name: config
  mountPath: /etc/rabbitmq/conf.d/90-questbell.conf
  subPath: questbell.conf
  readOnly: true
- name: config
  mountPath: /etc/questbell/start.sh
  subPath: start.sh
  readOnly: true
# Not on the data volume: fsGroup would make the Erlang cookie group-readable, which Erlang rejects.
- name: home
  mountPath: /var/lib/rabbitmq
- name: data
  mountPath: /var/lib/rabbitmq/mnesia
- name: log
  mountPath: /var/log/rabbitmq
- name: definitions
  mountPath: /run/questbell
- name: tmp
  mountPath: /tmp
{{- end }}

{{- define "questbell.rabbitmq.volumes" -}}
- name: config
  configMap:
    name: {{ printf "%s-rabbitmq" (include "questbell.fullname" .) | quote }}
- name: definitions
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
- name: home
  emptyDir: {}
- name: log
  emptyDir: {}
- name: tmp
  emptyDir: {}
{{- if not .Values.rabbitmq.persistence.enabled }}
- name: data
  emptyDir: {}
{{- end }}
{{- end }}
