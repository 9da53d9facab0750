import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { needs, skipUnless } from "../../../../test/needs.ts";
import { Inside } from "./inside.ts";
import { httpServer } from "./servers.ts";

// SB-12: programs of all kinds reach an allowed name through the proxy, and are refused another one.

const folder = mkdtempSync(join(tmpdir(), "nearfar-network-"));
let server: Awaited<ReturnType<typeof httpServer>>;
let inside: Inside;

beforeAll(async () => {
	server = await httpServer((request, response) => {
		const path = new URL(`http://a${request.url}`).pathname;
		try {
			if (path.startsWith("/simple/")) response.setHeader("Content-Type", "text/html"); // pip looks at the type
			response.end(answers[path] ?? readFileSync(join(folder, path)));
		} catch {
			response.writeHead(404).end();
		}
	});
	const host = `localhost:${server.port}`;
	inside = await Inside.open({ allow: [host, `127.0.0.1:${server.port}`, `[::1]:${server.port}`] });
});

afterAll(async () => {
	await inside[Symbol.asyncDispose]();
	await server[Symbol.asyncDispose]();
	rmSync(folder, { recursive: true });
});

const answers: Record<string, string> = {
	"/hello": "hello",
	"/thing": JSON.stringify({
		name: "thing",
		"dist-tags": { latest: "1.2.3" },
		versions: { "1.2.3": { name: "thing", version: "1.2.3", dist: { tarball: "http://localhost/x.tgz" } } },
	}),
	"/simple/thing/": "<a href='thing-1.2.3.tar.gz'>thing-1.2.3.tar.gz</a>",
};

/** Runs a program inside, whose hosts include the host's localhost: the usual NO_PROXY would lead it to the sandbox's own. */
async function program(file: string, args: readonly string[], env: Record<string, string> = {}) {
	const all = { NO_PROXY: "", no_proxy: "", HOME: folder, ...env };
	const { code, stdout, stderr } = await inside.run(file, args, all);
	return { code, text: `${stdout}${stderr}` };
}

const allowed = (path: string) => `http://localhost:${server.port}${path}`;

const { test: withCurl } = needs("the program curl");

withCurl("curl", async () => {
	expect(await program("curl", ["-sS", allowed("/hello")])).toEqual({ code: 0, text: "hello" });
	expect((await program("curl", ["-sS", "https://evil.example/"])).text).toMatch(/403/);
});

test("fetch of Node", async () => {
	skipUnless(process.allowedNodeEnvironmentFlags.has("--use-env-proxy"), "NODE_USE_ENV_PROXY, of Node 22.21 and 24.5");
	const script =
		"fetch(process.argv[1]).then(async (r) => console.log(r.status, await r.text()), (e) => console.log(e.cause))";
	const fetched = (url: string) => program(process.execPath, ["-e", script, url]);
	expect((await fetched(allowed("/hello"))).text).toContain("200 hello");
	expect((await fetched("http://evil.example/")).text).toMatch(/403/);
	expect((await fetched("https://evil.example/")).text).toMatch(/403/);
});

const { test: withGit } = needs("the program git");

withGit("git", async () => {
	const bare = join(folder, "repository.git");
	const git = (...args: string[]) => expect(spawnSync("git", ["-C", folder, ...args]).status).toBe(0);
	git("init", "-q", "--bare", bare);
	const user = ["-c", "user.name=a", "-c", "user.email=a@a.example"];
	const tree = `${spawnSync("git", ["-C", bare, "hash-object", "-wt", "tree", "/dev/null"]).stdout}`.trim();
	const commit = `${spawnSync("git", ["-C", bare, ...user, "commit-tree", "-m", "first", tree]).stdout}`.trim();
	git("-C", bare, "update-ref", "refs/heads/main", commit);
	git("-C", bare, "update-server-info");
	const settings = { GIT_CONFIG_NOSYSTEM: "1", GIT_TERMINAL_PROMPT: "0" };
	const listed = await program("git", ["ls-remote", allowed("/repository.git")], settings);
	expect(listed.text).toContain(`${commit}\trefs/heads/main`);
	expect((await program("git", ["ls-remote", "https://evil.example/x.git"], settings)).text).toMatch(/403/);
});

const { test: withPython } = needs("the program python3");

withPython("urllib of Python", async () => {
	const script = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read())";
	expect((await program("python3", ["-c", script, allowed("/hello")])).text).toContain("b'hello'");
	expect((await program("python3", ["-c", script, "https://evil.example/"])).text).toMatch(/403/);
});

withPython("pip", async () => {
	skipUnless(spawnSync("python3", ["-m", "pip", "--version"]).status === 0, "pip");
	const options = ["--disable-pip-version-check", "--no-cache-dir", "--retries", "0"];
	const pip = (index: string) =>
		program("python3", ["-m", "pip", ...options, "index", "versions", "thing", "--index-url", index]);
	expect((await pip(allowed("/simple/"))).text).toContain("1.2.3");
	expect((await pip("https://evil.example/simple/")).text).toMatch(/403|No matching distribution/);
	expect(inside.refused).toContain("evil.example:443");
});

const { test: withNpm } = needs("the program npm");

withNpm("npm", async () => {
	const npm = (registry: string) =>
		program("npm", ["view", "thing", "version", `--registry=${registry}`, "--fetch-retries=0", "--no-update-notifier"]);
	expect((await npm(allowed("/"))).text).toContain("1.2.3");
	expect((await npm("https://evil.example/")).text).toMatch(/403/);
});
