-- What a script may see: Lua 5.1 as Redis gives it, and nothing that fakeredis lacks.
std = "lua51"
read_globals = { "KEYS", "ARGV", "redis" }
max_line_length = 100
