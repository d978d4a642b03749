// One round trip with the generated client: sign in, own account, a list, and a refusal with its code.
import { readFileSync } from "node:fs";
import { strict as assert } from "node:assert";
import createClient from "openapi-fetch";
import type { components, paths } from "./client.js";

const [address, passwordFile] = process.argv.slice(2);
assert.ok(address !== undefined && passwordFile !== undefined, "round-trip.js ADDRESS PASSWORD-FILE");
const password = readFileSync(passwordFile, "utf8").trim();
const client = createClient<paths>({ baseUrl: address });

const signedIn = await client.POST("/api/v1/sessions", { body: { username: "admin", password } });
assert.ok(signedIn.data !== undefined, JSON.stringify(signedIn.error));
const headers = { Authorization: `Bearer ${signedIn.data.token}` };
const factors: components["schemas"]["Factor"][] = signedIn.data.factors;
assert.deepEqual(factors, ["password"]);

// The invented password is changed before anything else works: the refusal says so.
const early = await client.GET("/api/v1/officers", { headers });
assert.equal(early.error?.code, "password-change-needed");
const changed = await client.POST("/api/v1/me/password", {
  body: { old: password, new: "correct horse battery" },
  headers,
  params: { header: { "Idempotency-Key": crypto.randomUUID() } },
});
assert.equal(changed.response.status, 204);

const me = await client.GET("/api/v1/me", { headers });
assert.equal(me.data?.username, "admin");
assert.equal(me.data.session.current, true);
const officers = await client.GET("/api/v1/officers", { headers, params: { query: { limit: 10 } } });
assert.deepEqual(officers.data?.items.map((officer) => officer.username), ["admin"]);
assert.equal(officers.data.next, null);
console.log("TypeScript: signed in, changed the password, read the own account and the list of officers.");
