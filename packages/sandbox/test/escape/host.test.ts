import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import {
	accessSync,
	chmodSync,
	constants,
	mkdirSync,
	mkdtempSync,
	rmSync,
	symlinkSync,
	watch,
	writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { fixturePath } from "../../../../test/fixture.ts";
import { isRoot } from "../../../../test/needs.ts";
import { run, type SandboxOptions } from "../../src/index.ts";
import { folder, succeeds, succeedsOutside } from "../attempts.ts";
import { hashOf } from "./hash.ts";

watch(tmpdir()).close(); // Node keeps the descriptor through which it watches

const killer = fileURLToPath(new URL("../fixtures/killer.py", import.meta.url));

test("SB-01 in 50 sandboxes, of which some end with Node's SIGKILL, nothing appears in a project, and nothing has changed", async () => {
	const at = folder();
	for (const name of ["hidden", "protected", ".git"]) mkdirSync(join(at, name));
	writeFileSync(join(at, "code"), "");
	const [before, seen] = [hashOf(at), new Set<string>()];
	const watchers = [at, join(at, ".git")].map((path) => watch(path, (_, name) => seen.add(`${name}`)));
	const options: SandboxOptions = { preset: "project", write: [at], cwd: at };
	for (let round = 0; round < 40; round++) expect((await run("true", [], options)).code).toBe(0);
	const words = [killer, `${randomInt(2 ** 31)}`, "10", "0.1", process.execPath, fixturePath("sandbox/opening"), at];
	expect(spawnSync("/usr/bin/python3", words).status).toBe(0);
	expect(hashOf(at)).toBe(before);
	// The kernel tells what happens in order, so this is the last thing that is told.
	for (const path of ["last", ".git/last"]) writeFileSync(join(at, path), "");
	for (const watcher of watchers) await once(watcher, "change");
	await expect.poll(() => [...seen]).toContain("last");
	for (const watcher of watchers) watcher.close();
	expect([...seen]).toEqual(["last"]);
}, 60_000);

test("SB-08 CVE-2024-23652 a link at each place of each option leads to nothing that is made or changed on the host", async () => {
	const at = folder();
	for (const name of ["work", "other/dir"]) mkdirSync(join(at, name), { recursive: true });
	writeFileSync(join(at, "other/file"), "host");
	const targets = [
		join(at, "other"),
		`/proc/self/root${at}/other`,
		"../other",
		`${"../".repeat(30)}${at.slice(1)}/other`,
		"/oldroot",
	];
	for (const [index, target] of targets.entries()) symlinkSync(target, join(at, `work/link${index}`));
	const before = hashOf(at);
	for (const index of targets.keys()) {
		const link = join(at, `work/link${index}`);
		const given: SandboxOptions[] = [
			{ hide: [`${link}/file?`, `${link}/new?`] },
			{ protect: [`work/link${index}/new`, `${link}/new`, `${link}/file`], protectMissing: "remove" },
			{ files: { [`${link}/new`]: "made" } },
			{ files: { [`${link}/file`]: "made" } },
			{ scratch: [`${link}/dir?`] },
			{ read: ["/usr", "/bin?", "/lib?", "/lib64?", `${link}/file?`] },
			{ hide: [`${link}/*`] },
		];
		for (const options of given) {
			const outcome = await run("true", [], { preset: "closed", write: [join(at, "work")], ...options }).then(
				({ code }) => code,
				({ code }) => `${code}`,
			);
			expect([options, outcome]).toEqual([
				options,
				outcome === 0 ? 0 : expect.stringMatching(/^ERR_NEARFAR_SANDBOX_PATH/),
			]);
		}
	}
	expect(hashOf(at)).toBe(before);
});

test("SB-09 no socket that is bound in a shared, private or temporary folder of the host is reached", async () => {
	const writable = (path: string) => {
		try {
			accessSync(path, constants.W_OK);
			return true;
		} catch {
			return false;
		}
	};
	// A sandbox of root cannot look into root's home directory.
	const places = [tmpdir(), ...(isRoot ? [] : [homedir()]), "/run", "/var/tmp"].filter(writable);
	const folders = places.map((place) => mkdtempSync(join(place, "nearfar-sockets-")));
	const servers = folders.map((place) => createServer((socket) => socket.end()).listen(join(place, "socket")));
	try {
		await Promise.all(servers.map((server) => once(server, "listening")));
		for (const place of folders) {
			chmodSync(place, 0o755);
			chmodSync(join(place, "socket"), 0o777);
			const script = `/usr/bin/python3 -c 'import socket; socket.socket(1).connect("${place}/socket")'`;
			const project = { preset: "project", write: [folder()] } as const;
			expect([place, await succeeds(script, project)]).toEqual([place, false]);
			expect([
				place,
				await succeeds(script, { ...project, read: ["/usr", "/bin?", "/lib?", "/lib64?", dirname(place)] }),
			]).toEqual([place, false]);
			expect([place, await succeeds(script, { ...project, sockets: [join(place, "socket")] })]).toEqual([place, true]);
			expect([place, succeedsOutside(script)]).toEqual([place, true]);
		}
	} finally {
		for (const server of servers) server.close();
		for (const place of folders) rmSync(place, { recursive: true });
	}
});

test("CVE-2024-21626 a working directory that leads through a descriptor or a procfs is refused", async () => {
	for (const cwd of ["/proc/self/fd/0", "/proc/self/cwd", "/proc/self/root/tmp", "/proc/1/cwd"]) {
		const { code, stdout } = await run("pwd", [], { preset: "closed", cwd }).catch(({ code }) => ({
			code,
			stdout: "",
		}));
		expect([cwd, code === 0 ? stdout : code]).toEqual([
			cwd,
			expect.stringMatching(/^(ERR_NEARFAR_SANDBOX_PATH|\/tmp\n)$/),
		]);
	}
});

test("a link to a pipe at a protected place does not keep Node busy", () => {
	const at = folder();
	mkdirSync(join(at, "hidden"));
	symlinkSync("/proc/self/fd/0", join(at, "protected"));
	const { status } = spawnSync(process.execPath, [fixturePath("sandbox/once"), at], { input: "", timeout: 60_000 });
	expect(status).toBe(0);
});

test.each([-1, 4_294_967_295, 1.5, Number.NaN, "0", "root", 1e21])(
	"CVE-2024-40635 CVE-2016-3697 the id %j is refused",
	async (id) => {
		const user = { uid: id, gid: 0 } as { uid: number; gid: number };
		await expect(run("true", [], { preset: "closed", user })).rejects.toThrow(/uid/);
	},
);
