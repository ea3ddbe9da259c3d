{{/* Checks across values, for which the schema cannot give a helpful message. */}}
{{- define "questbell.check" -}}
{{- $ways := list -}}
{{- if .Values.discord.token }}{{ $ways = append $ways "discord.token" }}{{ end -}}
{{- if .Values.discord.existingSecret.name }}{{ $ways = append $ways "discord.existingSecret.name" }}{{ end -}}
{{- if .Values.discord.sandbox.enabled }}{{ $ways = append $ways "discord.sandbox.enabled" }}{{ end -}}
{{- if not $ways -}}
{{- fail "No Discord is configured. Set discord.existingSecret.name to a Secret with your bot's token, or set discord.sandbox.enabled=true to try Questbell without one." -}}
{{- else if gt (len $ways) 1 -}}
{{- fail (printf "Set only one of %s." (join ", " $ways)) -}}
{{- end -}}
{{- if and .Values.discord.sandbox.enabled .Values.discord.apiUrl -}}
{{- fail "discord.apiUrl cannot be used with the sandbox. Leave it empty when discord.sandbox.enabled=true." -}}
{{- end -}}
{{- range tuple (tuple "postgresql" "externalPostgresql") (tuple "rabbitmq" "externalRabbitmq") -}}
{{- $name := index . 0 -}}
{{- $external := index . 1 -}}
{{- $bundled := (get $.Values $name).enabled -}}
{{- $given := get $.Values $external -}}
{{- $ways := list -}}
{{- if $given.url }}{{ $ways = append $ways (printf "%s.url" $external) }}{{ end -}}
{{- if $given.existingSecret.name }}{{ $ways = append $ways (printf "%s.existingSecret.name" $external) }}{{ end -}}
{{- if and $bundled $ways -}}
{{- fail (printf "Both %s and %s.enabled are set. Set %s.enabled=false to use your own server." (join ", " $ways) $name $name) -}}
{{- else if and (not $bundled) (ne (len $ways) 1) -}}
{{- fail (printf "When %s.enabled=false, set either %s.existingSecret.name or %s.url." $name $external $external) -}}
{{- end -}}
{{- end -}}
{{- end }}
