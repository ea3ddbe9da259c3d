{{/* Shared parts of all pods. They satisfy the `restricted` Pod Security Standard. */}}

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
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .uid }}
  runAsGroup: {{ .uid }}
  fsGroup: {{ .uid }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "questbell.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* A container of the Questbell image: (dict "root" $ "secrets" "volume name" "values" .Values.bot); "values" is optional. */}}
{{- define "questbell.container" -}}
image: {{ include "questbell.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- include "questbell.containerSecurityContext" . | nindent 2 }}
volumeMounts:
  - name: {{ .secrets }}
    mountPath: /etc/questbell/secrets
    readOnly: true
  - name: tmp
    mountPath: /tmp
  {{- with (.values | default dict).extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Settings of all workloads. */}}
{{- define "questbell.env" -}}
- name: QUESTBELL_SECRETS_DIR
  value: /etc/questbell/secrets
- name: QUESTBELL_LOG_FORMAT
  value: {{ .Values.log.format }}
- name: QUESTBELL_LOG_LEVEL
  value: {{ .Values.log.level }}
- name: QUESTBELL_HEALTH_HOST
  value: 0.0.0.0
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
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ .persistence.size }}
{{- end }}

{{/* The API URL if it is not the real Discord. */}}
{{- define "questbell.discordEnv" -}}
{{- $url := ternary (include "questbell.discordUrl" .) .Values.discord.apiUrl .Values.discord.sandbox.enabled -}}
{{- if $url -}}
- name: DISCORD_API_URL
  value: {{ $url | quote }}
{{- end -}}
{{- end }}
