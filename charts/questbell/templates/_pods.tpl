{{/* Shared parts of all pods. By default they satisfy the `restricted` Pod Security Standard. */}}

{{/* Pod spec: (dict "root" $ "values" .Values.bot "uid" 65532 "component" "bot"). */}}
{{- define "questbell.podSpec" -}}
automountServiceAccountToken: false
{{- if eq (int .uid) 65532 }}
# Without this the program is PID 1, for which the kernel ignores signals without a handler: a SIGTERM during start-up would
# be lost, and the pod would run until it is killed.
shareProcessNamespace: true
{{- end }}
# Service link variables would be read as settings: QUESTBELL_DISCORD_PORT would be tcp://…
enableServiceLinks: false
{{- with include "questbell.podSecurityContext" . | fromYaml }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "questbell.tolerations" . | fromYamlArray }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "questbell.topologySpread" . | fromYamlArray }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The user and the group are the image's, unless podSecurityContext names others, or null for those of the platform. */}}
{{- define "questbell.podSecurityContext" -}}
{{- $context := dict -}}
{{- if .root.Values.podSecurityContext -}}
{{- $image := dict "runAsUser" .uid "runAsGroup" .uid "fsGroup" .uid -}}
{{- range $key, $value := merge (deepCopy .root.Values.podSecurityContext) $image -}}
{{- $wanted := ternary (get $.root.Values.podSecurityContext $key) $value (hasKey $.root.Values.podSecurityContext $key) -}}
{{- if not (kindIs "invalid" $wanted) }}{{ $_ := set $context $key $wanted }}{{ end -}}
{{- end -}}
{{- end -}}
{{ toYaml $context }}
{{- end }}

{{/*
A pod without a volume leaves a dead node soon: Kubernetes would wait for 300 s. Like Kubernetes, this adds nothing for a
taint that the user's tolerations mention. The pods of StatefulSets wait for their node in any case.
*/}}
{{- define "questbell.tolerations" -}}
{{- $tolerations := .values.tolerations | default list -}}
{{- $seconds := .root.Values.nodeFailureTolerationSeconds -}}
{{- if and (eq (int .uid) 65532) (not (kindIs "invalid" $seconds)) -}}
{{- range $taint := list "node.kubernetes.io/not-ready" "node.kubernetes.io/unreachable" -}}
{{- $mentioned := false -}}
{{- range $.values.tolerations -}}
{{- $covers := and (has (.key | default $taint) (list $taint)) (has (.effect | default "NoExecute") (list "NoExecute")) -}}
{{- $mentioned = or $mentioned $covers -}}
{{- end -}}
{{- if not $mentioned -}}
{{- $own := dict "key" $taint "operator" "Exists" "effect" "NoExecute" "tolerationSeconds" (int $seconds) -}}
{{- $tolerations = append $tolerations $own -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ toYaml $tolerations }}
{{- end }}

{{/* The controllers and several bots are spread over nodes. The user's constraints replace that, and select the component's pods by default. */}}
{{- define "questbell.topologySpread" -}}
{{- $selector := dict "matchLabels" (include "questbell.selectorLabels" . | fromYaml) -}}
{{- $constraints := list -}}
{{- range .values.topologySpreadConstraints -}}
{{- $constraints = append $constraints (merge (deepCopy .) (dict "labelSelector" $selector)) -}}
{{- end -}}
{{- if and (not $constraints) (eq .component "controllers") -}}
{{- $spread := dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway" -}}
{{- /* The pods of the previous revision are ignored: they are about to stop. */ -}}
{{- $constraints = list (merge $spread (dict "labelSelector" $selector "matchLabelKeys" (list "pod-template-hash"))) -}}
{{- else if and (not $constraints) (eq .component "bot") (gt (int .root.Values.bot.processes) 1) -}}
{{- $spread := dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway" -}}
{{- $constraints = list (merge $spread (dict "labelSelector" $selector)) -}}
{{- end -}}
{{ toYaml $constraints }}
{{- end }}

{{/*
The chart's list with the user's: (dict "key" "name" "own" "a list, as YAML" "extra" .Values.bot.extraEnv). Kubernetes refuses
two entries of one name, so an entry of the user replaces the chart's, and the last of several wins.
*/}}
{{- define "questbell.withExtra" -}}
{{- $key := .key -}}
{{- $last := dict -}}
{{- $names := list -}}
{{- range concat (.own | fromYamlArray) (.extra | default list) -}}
{{- $names = append (without $names (get . $key)) (get . $key) -}}
{{- $_ := set $last (get . $key) . -}}
{{- end -}}
{{- $entries := list -}}
{{- range $names }}{{ $entries = append $entries (get $last .) }}{{ end -}}
{{ toYaml $entries }}
{{- end }}

{{/*
What all containers have: (dict "root" $ "values" .Values.bot "env" "…" "mounts" "…"); the last two are the chart's lists, as
YAML.
*/}}
{{- define "questbell.container" -}}
# The end of the log is shown by kubectl describe when the container fails.
terminationMessagePolicy: FallbackToLogsOnError
{{- with .root.Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "questbell.withExtra" (dict "key" "name" "own" .env "extra" .values.extraEnv) | fromYamlArray }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  {{- include "questbell.withExtra" (dict "key" "mountPath" "own" .mounts "extra" .values.extraVolumeMounts) | nindent 2 }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
{{- end }}

{{/* A container of the Questbell image: as above, with "secrets", the name of the volume with its secrets. */}}
{{- define "questbell.program" -}}
image: {{ include "questbell.image" (dict "image" .root.Values.image "tag" .root.Chart.AppVersion) }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- $mounts := list
      (dict "name" .secrets "mountPath" "/etc/questbell/secrets" "readOnly" true)
      (dict "name" "tmp" "mountPath" "/tmp") }}
{{- $env := concat (include "questbell.env" .root | fromYamlArray) (.env | default "" | fromYamlArray) | toYaml }}
{{- $mounts = concat $mounts (.mounts | default "" | fromYamlArray) | toYaml }}
{{ include "questbell.container" (dict "root" .root "values" .values "env" $env "mounts" $mounts) }}
{{- end }}

{{/* A container of a server's image: as above. */}}
{{- define "questbell.server" -}}
image: {{ include "questbell.image" (dict "image" .values.image "tag" "") }}
imagePullPolicy: {{ .values.image.pullPolicy }}
{{ include "questbell.container" . }}
{{- end }}

{{/* The volumes of a pod: (dict "values" .Values.bot "own" "the chart's, as YAML"). */}}
{{- define "questbell.volumes" -}}
volumes:
  {{- include "questbell.withExtra" (dict "key" "name" "own" .own "extra" .values.extraVolumes) | nindent 2 }}
{{- end }}

{{/* Settings of all workloads. */}}
{{- define "questbell.env" -}}
- name: QUESTBELL_SECRETS_DIR
  value: /etc/questbell/secrets
- name: QUESTBELL_LOG_FORMAT
  value: {{ .Values.log.format | quote }}
- name: QUESTBELL_LOG_LEVEL
  value: {{ .Values.log.level | quote }}
# All addresses, IPv4 and IPv6.
- name: QUESTBELL_HEALTH_HOST
  value: "::"
- name: QUESTBELL_HEALTH_PORT
  value: "8080"
{{- range $name, $seconds := .Values.timing }}
- name: QUESTBELL_TIMING_{{ $name | snakecase | upper }}
  value: {{ $seconds | toString | quote }}
{{- end }}
{{- end }}
{{/* Longer than a workload takes to finish work in flight and shut down. */}}
{{- define "questbell.gracePeriod" -}}
{{ add (get .Values.timing "shutdown" | default 10 | ceil | int) 10 }}
{{- end }}

{{/*
Start-up: five minutes, because the database or the broker may still be starting. Readiness: fails while a dependency is
down, and is probed often because a rollout waits for it. Liveness: fails only if a restart would help, with generous
time-outs so that a busy node does not restart a healthy pod.
*/}}
{{- define "questbell.probes" -}}
ports:
  - name: health
    containerPort: 8080
startupProbe:
  httpGet: {path: /livez, port: health}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 300
readinessProbe:
  httpGet: {path: /readyz, port: health}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /livez, port: health}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 3
{{- end }}

{{/* Service for metrics. It is headless so that every pod is scraped, and includes pods that are not ready, because their
     metrics matter most then. */}}
{{- define "questbell.healthService" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "questbell.metadata" . | nindent 2 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "questbell.selectorLabels" . | nindent 4 }}
  ports:
    - name: health
      port: 8080
      targetPort: health
{{- end }}

{{/* Selector labels only: volumeClaimTemplates are immutable, so a chart version must not be in them. */}}
{{- define "questbell.volumeClaim" -}}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata:
    name: data
    labels:
      {{- include "questbell.selectorLabels" . | nindent 6 }}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .persistence.storageClassName }}
    storageClassName: {{ . | quote }}
    {{- end }}
    resources:
      requests:
        storage: {{ .persistence.size | quote }}
{{- end }}

{{/* The API URL if it is not the real Discord. */}}
{{- define "questbell.discordEnv" -}}
{{- $url := ternary (include "questbell.discordUrl" .) .Values.discord.apiUrl .Values.discord.sandbox.enabled -}}
{{- if $url -}}
- name: DISCORD_API_URL
  value: {{ $url | quote }}
{{- end -}}
{{- end }}
