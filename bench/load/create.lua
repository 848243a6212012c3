-- wrk script. Creates ConfigMaps of 1 KB, or Pods that nobody schedules, each with a name of its own.
-- Arguments: the token, "configmaps" or "pods", and a prefix of names.
local count, token, kind, prefix = 0, "", "", ""
local text = string.rep("x", 1000)
local refused = 0

function init(arguments)
  token, kind, prefix = arguments[1], arguments[2], arguments[3]
end

local function pod(name)
  local variables = {}
  for i = 1, 10 do variables[i] = string.format('{"name":"VARIABLE_%d","value":"value %d"}', i, i) end
  return string.format('{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s","labels":{"app":"a%d","tier":"x"}},"spec":{"schedulerName":"nobody","automountServiceAccountToken":false,"containers":[{"name":"c","image":"busybox","env":[%s],"resources":{"requests":{"cpu":"10m","memory":"16Mi"}}}]}}', name, count % 100, table.concat(variables, ","))
end

function request()
  count = count + 1
  local name = prefix .. "-" .. count
  local body = kind == "pods" and pod(name) or string.format('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"%s"},"data":{"v":"%s"}}', name, text)
  return wrk.format("POST", "/api/v1/namespaces/default/" .. kind, { ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json" }, body)
end

function response(status)
  if status == 201 then return end
  refused = refused + 1
  if refused < 4 then io.write("refused with status ", status, "\n") end
end
