{{/* What the schema cannot say in a sentence that helps. */}}
{{- define "questbell.check" -}}
{{- $ways := list -}}
{{- if .Values.discord.token }}{{ $ways = append $ways "discord.token" }}{{ end -}}
{{- if .Values.discord.existingSecret.name }}{{ $ways = append $ways "discord.existingSecret.name" }}{{ end -}}
{{- if .Values.discord.sandbox.enabled }}{{ $ways = append $ways "discord.sandbox.enabled" }}{{ end -}}
{{- if not $ways -}}
{{- fail "Which Discord? Set discord.existingSecret.name to a Secret with your bot's token, or discord.sandbox.enabled=true to try Questbell without one." -}}
{{- else if gt (len $ways) 1 -}}
{{- fail (printf "Only one of %s can be set: they are different Discords." (join ", " $ways)) -}}
{{- end -}}
{{- if and .Values.discord.sandbox.enabled .Values.discord.apiUrl -}}
{{- fail "discord.apiUrl names another Discord than the sandbox: leave it empty with discord.sandbox.enabled=true." -}}
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
{{- fail (printf "%s is set, and so is %s.enabled: set %s.enabled=false to use yours." (join ", " $ways) $name $name) -}}
{{- else if and (not $bundled) (ne (len $ways) 1) -}}
{{- fail (printf "With %s.enabled=false set either %s.existingSecret.name or %s.url." $name $external $external) -}}
{{- end -}}
{{- end -}}
{{- end }}
