-- wrk script. Merge-patches the pods PREFIX-1 to PREFIX-COUNT of namespace bench-list in turn.
-- Arguments: the token, the prefix of names, and how many there are.
local turn, token, prefix, pods = 0, "", "", 1
local refused = 0

function init(arguments)
  token, prefix, pods = arguments[1], arguments[2], tonumber(arguments[3])
end

function request()
  turn = turn + 1
  local path = "/api/v1/namespaces/bench-list/pods/" .. prefix .. "-" .. (turn % pods + 1)
  return wrk.format("PATCH", path, { ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/merge-patch+json" }, string.format('{"metadata":{"labels":{"turn":"t%d"}}}', turn))
end

function response(status)
  if status == 200 then return end
  refused = refused + 1
  if refused < 4 then io.write("refused with status ", status, "\n") end
end
