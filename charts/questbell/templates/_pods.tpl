{{/* What the pods have in common. All of it satisfies the `restricted` Pod Security level. */}}

{{/* The pod's part: (dict "root" $ "values" .Values.bot "uid" 65532 "component" "bot"). */}}
{{- define "questbell.podSpec" -}}
automountServiceAccountToken: false
{{- if eq (int .uid) 65532 }}
# Else the program is process 1, which the kernel spares every signal that it has no handler for yet: a SIGTERM while it
# starts would be lost, and the pod linger until it is killed.
shareProcessNamespace: true
{{- end }}
# A Service's variables would be taken for settings: QUESTBELL_DISCORD_PORT is tcp://… with them.
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

{{/* A container of our image: (dict "root" $ "secrets" "volume's name" "values" .Values.bot, or none). */}}
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

{{/* The settings that every workload reads. */}}
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

{{/* More than a workload takes to finish what is in flight, and then to close. */}}
{{- define "questbell.gracePeriod" -}}
{{ add (get .Values.timing "shutdown" | default 10 | ceil | int) 10 }}
{{- end }}

{{/*
Start: five minutes, for a first database or a broker that is still coming. Readiness falls with a dependency and is
asked often, because a rollout waits for it. Liveness falls only when a restart would help; it is patient, for a busy
node must not restart what works.
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

{{/* Where metrics are read. Without a cluster IP, so that each pod is asked, and also while a pod is not ready: it is then
     that one wants to know. */}}
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

{{/* Its labels never change, for a StatefulSet's claims cannot be changed: so the chart's version is not among them. */}}
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

{{/* Which Discord, when it is not the real one. */}}
{{- define "questbell.discordEnv" -}}
{{- $url := ternary (include "questbell.discordUrl" .) .Values.discord.apiUrl .Values.discord.sandbox.enabled -}}
{{- if $url -}}
- name: DISCORD_API_URL
  value: {{ $url | quote }}
{{- end -}}
{{- end }}
