{{/* Checks across values, for which the schema cannot give a helpful message. */}}
{{- define "questbell.check" -}}
{{- if not .Values.enabled -}}
{{- fail "enabled=false only has an effect in the condition of a parent chart, which this release does not have." -}}
{{- end -}}
{{- range $value := list "nameOverride" "fullnameOverride" -}}
{{- $name := get $.Values $value -}}
{{- if not (regexMatch "^([a-z]([-a-z0-9]*[a-z0-9])?)?$" $name) -}}
{{- fail (printf "%s is %q, but must consist of lower-case letters, digits and hyphens, and start with a letter." $value $name) -}}
{{- end -}}
{{- end -}}
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
{{- $processes := int .Values.bot.processes -}}
{{- if gt $processes 1 -}}
{{- if eq (toString .Values.bot.shards) "auto" -}}
{{- fail (printf "bot.shards=auto needs bot.processes=1, because several processes must agree on the number. Set bot.shards to a number from %d on." $processes) -}}
{{- else if lt (int .Values.bot.shards) $processes -}}
{{- fail (printf "bot.shards is %v, but each of the %d processes needs a shard. Set bot.shards to a number from %d on." .Values.bot.shards $processes $processes) -}}
{{- else if semverCompare "<1.28.0-0" .Capabilities.KubeVersion.Version -}}
{{- fail "bot.processes above 1 needs Kubernetes 1.28, which tells each pod its index." -}}
{{- end -}}
{{- end -}}
{{- range tuple (tuple "postgresql" "externalPostgresql" "owner") (tuple "rabbitmq" "externalRabbitmq" "bot") -}}
{{- $name := index . 0 -}}
{{- $external := index . 1 -}}
{{- $second := printf "%s.%s" $external (index . 2) -}}
{{- $given := get $.Values $external -}}
{{- $ways := include "questbell.ways" (dict "name" $external "given" $given) | fromYamlArray -}}
{{- $secondWays := include "questbell.ways" (dict "name" $second "given" (get $given (index . 2))) | fromYamlArray -}}
{{- if (get $.Values $name).enabled -}}
{{- with concat $ways $secondWays -}}
{{- fail (printf "Both %s and %s.enabled are set. Set %s.enabled=false to use your own server." (join ", " .) $name $name) -}}
{{- end -}}
{{- else if ne (len $ways) 1 -}}
{{- fail (printf "When %s.enabled=false, set either %s.existingSecret.name or %s.url." $name $external $external) -}}
{{- else if gt (len $secondWays) 1 -}}
{{- fail (printf "Set only one of %s." (join ", " $secondWays)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The values that say where a server's account is. */}}
{{- define "questbell.ways" -}}
{{- $ways := list -}}
{{- if .given.url }}{{ $ways = append $ways (printf "%s.url" .name) }}{{ end -}}
{{- if .given.existingSecret.name }}{{ $ways = append $ways (printf "%s.existingSecret.name" .name) }}{{ end -}}
{{ toYaml $ways }}
{{- end }}
