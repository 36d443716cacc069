/** A Lua program: permutations of n numbers, how often each is turned round. Prints checksum and most turns. */
export const FANNKUCH = `local n, p, q, s, sign, most, sum = tonumber(arg[1]), {}, {}, {}, 1, 0, 0
for i = 1, n do p[i], q[i], s[i] = i, i, i end
local function count()
  local first, flips = p[1], 1
  if first == 1 then return 0 end
  for i = 2, n do q[i] = p[i] end
  while true do
    local next = q[first]
    if next == 1 then return flips end
    q[first] = first
    local i, j = 2, first - 1
    while i < j do q[i], q[j] = q[j], q[i]; i = i + 1; j = j - 1 end
    first = next
    flips = flips + 1
  end
end
local function following()
  if sign == 1 then p[1], p[2] = p[2], p[1]; sign = -1; return true end
  p[2], p[3] = p[3], p[2]
  sign = 1
  for i = 3, n do
    if s[i] ~= 1 then s[i] = s[i] - 1; return true end
    if i == n then return false end
    s[i] = i
    local t = p[1]
    for j = 1, i do p[j] = p[j + 1] end
    p[i + 1] = t
  end
end
repeat
  local flips = count()
  sum = sum + sign * flips
  if flips > most then most = flips end
until not following()
print(sum, most)
`;
