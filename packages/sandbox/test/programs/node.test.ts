import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { type Pty, Sandbox } from "../../src/index.ts";
import { folder } from "../attempts.ts";
import { hash } from "../hash.ts";
import { inProject, outputOf } from "../in-project.ts";
import { startRegistry } from "./registry.ts";

vi.setConfig({ testTimeout: 120_000 });

const repository = fileURLToPath(new URL("../../../..", import.meta.url));

/** Makes a home directory with caches, which the preset shows as scratches. */
function home(): string {
	const at = folder();
	for (const cache of [".npm", ".cache/pip", ".cargo/registry"]) {
		mkdirSync(join(at, cache), { recursive: true });
		writeFileSync(join(at, cache, "before"), "kept");
	}
	writeFileSync(join(at, ".netrc"), "secret");
	return at;
}

needs("the program npm", "the file system overlay").test(
	"SB-25 npm ci and npm test of a project, from a registry on the loopback of the host; the cache of the host does not change",
	async () => {
		const [project, own] = [folder(), home()];
		const registry = await startRegistry(project);
		const script = `
			npm ci --no-audit --no-fund --foreground-scripts && npm test && npm ls
			test -e ~/.npm/_cacache && test -e ~/.npm/before && ! test -e ~/.netrc`;
		const before = hash(own);
		try {
			for (const once of ["a cold cache", "node_modules that is there"]) {
				const { code, stdout, stderr } = await inProject(project, script, {
					outside: { HOME: own },
					network: { localhost: [registry.port] },
				});
				expect([once, code, stderr, stdout]).toEqual([
					once,
					0,
					expect.any(String),
					expect.stringContaining("left ran"),
				]);
			}
			const refused = await inProject(project, "npm view right --fetch-retries=0", { outside: { HOME: own } });
			expect(refused.code).not.toBe(0); // without the port there is no way to the registry
		} finally {
			registry.close();
		}
		expect(registry.asked.filter((path) => path === "/left/-/left-1.0.0.tgz")).toHaveLength(2);
		expect(existsSync(join(project, "node_modules/left/installed"))).toBe(true);
		expect(statSync(join(project, "node_modules/right/index.js")).uid).toBe(process.geteuid?.());
		expect(hash(own)).toBe(before);
	},
);

test("node --test runs children and threads", async () => {
	const project = folder();
	writeFileSync(
		join(project, "a.test.mjs"),
		`import test from "node:test"; import { execFileSync, fork } from "node:child_process"; import { Worker } from "node:worker_threads";
		test("a child", () => { execFileSync("true"); });
		test("a thread", (_, done) => { new Worker("0", { eval: true }).on("exit", () => done()); });`,
	);
	expect(await outputOf(project, "node --test")).toContain("# pass 2");
});

test("tsc and vitest of this repository run in it, whose node_modules are links", async () => {
	const script = `
		node node_modules/typescript/bin/tsc --noEmit -p packages/pidfd
		node node_modules/vitest/vitest.mjs run --configLoader=runner --project pidfd exited get-fd`;
	const { code, stdout, stderr } = await inProject(repository, script);
	expect([code, stderr, stdout]).toEqual([0, "", expect.stringMatching(/2 passed/)]);
});

test("a folder of PATH in the project can be written, and node_modules can be removed", async () => {
	const project = folder();
	mkdirSync(join(project, "node_modules/.bin"), { recursive: true });
	const path = `${join(project, "node_modules/.bin")}:${process.env.PATH}`;
	await outputOf(project, "touch node_modules/.bin/new; rm -r node_modules; mkdir -p node_modules/.bin", {
		outside: { HOME: join(project, ".."), PATH: path },
	});
	expect(readdirSync(join(project, "node_modules/.bin"))).toEqual([]);
});

needs("the program npm").test("a server that npm run dev starts is published", async () => {
	const project = folder();
	writeFileSync(join(project, "package.json"), JSON.stringify({ scripts: { dev: "node server.js" } }));
	writeFileSync(
		join(project, "server.js"),
		`const server = require("node:http").createServer((_, response) => response.end("served"));
		server.listen(3000, "127.0.0.1", () => console.log("listening"));`,
	);
	await using sandbox = await Sandbox.open({ write: [project], cwd: project });
	const { port } = await sandbox.publish(3000, { hostPort: 0 });
	const url = `http://127.0.0.1:${port}`;
	const server = await sandbox.start("npm", ["run", "dev"]);
	for await (const chunk of server.stdout as AsyncIterable<Buffer>) if (`${chunk}`.includes("listening")) break;
	expect(await (await fetch(url)).text()).toBe("served");
	expect(await (await fetch(url)).text()).toBe("served");
});

needs("pseudoterminals").test(
	"SB-20 a shell with a terminal: Ctrl-C ends its command, and the shell goes on",
	async () => {
		const project = folder();
		await using sandbox = await Sandbox.open({ write: [project], cwd: project });
		const shell = await sandbox.start("sh", ["-i"], { tty: true, env: { PS1: "> ", ENV: undefined } });
		const pty = shell.pty as Pty;
		let seen = "";
		pty.on("data", (chunk) => {
			seen += `${chunk}`; // a listener that stays: a stream without one loses what comes
		});
		const until = async (text: string) => {
			while (!seen.includes(text)) await once(pty, "data");
			seen = seen.slice(seen.indexOf(text) + text.length);
		};
		await until("> ");
		pty.write("cat\n");
		await until("cat\r\n");
		pty.write("typed\n");
		await until("typed\r\ntyped\r\n"); // the echo of the terminal, and cat
		pty.write("\x03");
		await until("> ");
		pty.write('echo "$?" > code; exit 7\n');
		expect((await shell.result).code).toBe(7);
		expect(readFileSync(join(project, "code"), "utf8")).toBe("130\n");
	},
);
