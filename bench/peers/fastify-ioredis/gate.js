// The same gate on Node: fastify and ioredis, one script a request.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import Fastify from "fastify";
import { Redis } from "ioredis";

const LIFE_MS = 1_800_000;
const NOTE_S = 60;

const redis = new Redis(process.env.REDIS_URL, { enableAutoPipelining: true });
redis.defineCommand("verify", {
  numberOfKeys: 1,
  lua: readFileSync(process.env.VERIFY_LUA, "utf8"),
});

const app = Fastify({ logger: false });

app.get("/authz/ext/", async (request, reply) => {
  const [scheme, token = ""] = (request.headers.authorization ?? "").split(" ");
  if (scheme.toLowerCase() !== "token") return reply.code(401).send();
  const digest = createHash("sha256").update(token).digest("hex");
  const agent = request.headers["user-agent"] ?? "";
  const user = await redis.verify(`peer:${digest}`, request.ip, agent, LIFE_MS, NOTE_S);
  if (user === null) return reply.code(401).send();
  return reply.header("x-auth-user", user).send();
});

await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT), backlog: 2048 });
