import {
	chmodSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	watch,
	writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { plan, run, Sandbox, type SandboxOptions } from "../src/index.ts";
import { folder, inside, succeeds, succeedsOutside } from "./attempts.ts";
import { hash } from "./hash.ts";

watch(tmpdir()).close(); // Node keeps the descriptor through which it watches

/** Makes a project with what the preset protects. */
function project(): string {
	const at = folder();
	mkdirSync(join(at, ".git/hooks"), { recursive: true });
	for (const name of [".git/config", ".git/hooks/pre-commit", ".gitmodules", "code", ".env"])
		writeFileSync(join(at, name), "before");
	return at;
}

test("guarantee 1: nothing is written but in `write`, and nothing is read but what is shown", async () => {
	const [shown, other] = [folder(), folder()];
	for (const at of [shown, other]) writeFileSync(join(at, "file"), "secret");
	const attempts = [
		[`echo x > ${shown}/file`, { read: ["/usr", "/bin?", "/lib?", "/lib64?", shown] }],
		[`echo x > ${shown}/new`, { read: ["/usr", "/bin?", "/lib?", "/lib64?", shown] }],
		[`rm ${shown}/file`, { read: ["/usr", "/bin?", "/lib?", "/lib64?", shown] }],
		[`chmod 600 ${shown}/file`, { read: ["/usr", "/bin?", "/lib?", "/lib64?", shown] }],
		[`grep -q secret ${other}/file`, { write: [shown] }],
		[`echo x > ${other}/file`, { write: [shown] }],
	] satisfies [string, SandboxOptions][];
	const before = hash(shown) + hash(other);
	for (const [script, options] of attempts) expect([script, await succeeds(script, options)]).toEqual([script, false]);
	expect(hash(shown) + hash(other)).toBe(before);
	await inside(`grep -q secret ${shown}/file && echo x > ${shown}/file`, { write: [shown] });
	expect(readFileSync(join(shown, "file"), "utf8")).toBe("x\n");
	expect(statSync(join(shown, "file")).uid).toBe(process.geteuid?.());
	for (const [script] of attempts.toReversed())
		expect([script, succeedsOutside(script) || script.includes("secret")]).toEqual([script, true]);
});

test("guarantee 2: nothing leads to the old root", async () => {
	const secret = join(folder(), "secret");
	writeFileSync(secret, "");
	const ways = ["/proc/1/root", "/proc/self/root", "/..", "/proc/1/cwd", "/proc/2/root", "/oldroot", "/.nearfar"];
	for (const way of ways) expect([way, await succeeds(`test -e ${way}${secret}`)]).toEqual([way, false]);
	expect(succeedsOutside(`test -e /proc/self/root${secret}`)).toBe(true);
	expect(await inside("ls -A / | tr '\\n' ' '")).not.toContain(".nearfar");
	const mounts = await inside("cut -d' ' -f5 /proc/self/mountinfo");
	expect(mounts.split("\n").filter((path) => path === "/")).toHaveLength(1);
	expect(mounts).not.toContain(secret);
});

test("SB-01 a protected file cannot be written, renamed, replaced or got around, and nothing of the host changes meanwhile", async () => {
	const at = project();
	const attempts = [
		"echo x > .git/config",
		"echo x > .git/hooks/pre-commit",
		"echo x > .git/hooks/new",
		"rm .git/config",
		"mv .git g2",
		"mv .git/hooks .git/h2",
		"rm -rf .git",
		"ln -f code .git/config",
		"echo x > .gitmodules",
		"mv code .gitmodules",
	];
	const options = { write: [at], cwd: at, protect: [".git/hooks", ".git/config", ".gitmodules"] };
	const before = hash(at);
	for (const attempt of attempts) expect([attempt, await succeeds(attempt, options)]).toEqual([attempt, false]);
	expect(hash(at)).toBe(before);
	for (const attempt of ["mv .git g2 && mv g2 .git", "echo before > .git/config"])
		expect(succeedsOutside(`cd ${at} && ${attempt}`)).toBe(true);
	await inside("echo x > code; echo x > .git/index", options);
	expect(readFileSync(join(at, "code"), "utf8")).toBe("x\n");
});

test("SB-01 protected files that are missing leave no trace on the host", async () => {
	const at = folder();
	const seen: string[] = [];
	const watcher = watch(at, (_, name) => seen.push(`${name}`));
	const before = hash(at);
	for (let round = 0; round < 5; round++) await inside("true", { preset: "project", write: [at], cwd: at });
	watcher.close();
	expect([hash(at), seen]).toEqual([before, []]);
});

test("what appears where a protected path was missing is reported, or removed", async () => {
	const at = folder();
	const script =
		"mkdir -p .git/hooks && echo x > .git/hooks/post && ln -s /etc .vscode; mkdir .idea .idea/deep; echo y > .idea/deep/z; echo x > code";
	const options: SandboxOptions = {
		preset: "closed",
		write: [at],
		cwd: at,
		protect: [".git/hooks", ".vscode", ".idea", ".mcp.json"],
	};
	const { violations } = (await run("sh", ["-c", script], options)).check();
	expect(violations.map(({ kind, what }) => [kind, what]).toSorted()).toEqual(
		[".git/hooks", ".idea", ".vscode"].map((name) => ["appeared", join(at, name)]),
	);
	expect(existsSync(join(at, ".git/hooks/post"))).toBe(true);
	for (const name of [".git", ".vscode", ".idea"]) rmSync(join(at, name), { recursive: true });
	await run("sh", ["-c", script], { ...options, protectMissing: "remove" });
	expect(readdirSync(at).toSorted()).toEqual([".git", "code"]);
	expect(readdirSync(join(at, ".git"))).toEqual([]);
	expect(existsSync("/etc")).toBe(true);
});

test("SB-03 a hidden folder is empty, and a write to it fails and does not vanish", async () => {
	const at = project();
	mkdirSync(join(at, "keys"));
	writeFileSync(join(at, "keys/id"), "secret");
	const options = { write: [at], cwd: at, hide: [join(at, "keys"), "**/.env"] };
	expect(await inside("ls -A keys; cat .env; stat -c %s .env", options)).toBe("0");
	for (const attempt of [
		"echo x > keys/new",
		"mkdir keys/new",
		"echo x >> .env",
		"rm .env",
		"mv keys k2",
		"cat keys/id",
	]) {
		expect([attempt, await succeeds(attempt, options)]).toEqual([attempt, false]);
	}
	expect(succeedsOutside(`cd ${at} && cat keys/id .env`)).toBe(true);
});

test("a longer path shows through a hidden or protected folder", async () => {
	const at = folder();
	mkdirSync(join(at, "closed/open"), { recursive: true });
	writeFileSync(join(at, "closed/open/file"), "shown");
	writeFileSync(join(at, "closed/other"), "");
	const options = { write: [at, join(at, "closed/open")], hide: [join(at, "closed")] };
	expect(await inside(`ls ${at}/closed; cat ${at}/closed/open/file; echo more > ${at}/closed/open/new`, options)).toBe(
		"open\nshown",
	);
	expect(await succeeds(`echo x > ${at}/closed/new`, options)).toBe(false);
	expect(readdirSync(join(at, "closed/open")).toSorted()).toEqual(["file", "new"]);
});

test("SB-07 a link that was given leads to its target, and nothing is made on the host", async () => {
	const at = folder();
	mkdirSync(join(at, "real"));
	writeFileSync(join(at, "real/file"), "shown");
	symlinkSync(join(at, "real"), join(at, "link"));
	symlinkSync("nowhere", join(at, "dangling"));
	const before = hash(at);
	expect(
		await inside(`cat ${at}/link/file; readlink ${at}/link`, {
			read: ["/usr", "/bin?", "/lib?", "/lib64?", join(at, "link"), `${join(at, "dangling")}?`],
		}),
	).toBe(`shown${join(at, "real")}`);
	expect(hash(at)).toBe(before);
});

needs("the file system overlay").test("a scratch takes writes, and the host does not change", async () => {
	const at = folder();
	mkdirSync(join(at, "deep"));
	writeFileSync(join(at, "deep/file"), "host");
	const before = hash(at);
	const options = { scratch: [at] };
	expect(
		await inside(
			`cd ${at} && echo mine > deep/file && mkdir new && rm -r deep && echo x > new/y && cat new/y`,
			options,
		),
	).toBe("x");
	expect(await inside(`cat ${at}/deep/file`, options)).toBe("host");
	expect(hash(at)).toBe(before);
});

test("made-up files are there, read-only, and never on the host", async () => {
	const at = folder();
	writeFileSync(join(at, "config"), "host");
	const options = {
		write: [at],
		files: {
			[join(at, "config")]: "made",
			"~/.token": { content: Buffer.from("bytes"), mode: 0o400 },
			"/opt/deep/x": "",
		},
	};
	expect(await inside(`cat ${at}/config ~/.token; stat -c %a ~/.token; stat -c %s /opt/deep/x`, options)).toBe(
		"madebytes400\n0",
	);
	for (const file of [join(at, "config"), "~/.token"])
		expect(await succeeds(`echo x > ${file} || rm ${file} || chmod 777 ${file}`, options)).toBe(false);
	expect(readFileSync(join(at, "config"), "utf8")).toBe("host");
	expect(existsSync(join(homedir(), ".token"))).toBe(false);
});

test("SB-09 no Unix socket of the host can be reached but those that are named", async () => {
	const [shown, named] = [folder(), folder()];
	chmodSync(shown, 0o755);
	const servers = [join(shown, "a"), join(named, "b"), `\0nearfar-sandbox-${process.pid}`].map((path) =>
		createServer((socket) => socket.on("error", () => {}).end("hello")).listen(path),
	);
	try {
		const connect = (path: string) =>
			`python3 -c 'import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect("${path}"); print(s.recv(9).decode())'`;
		const python = ["/usr", "/bin?", "/lib?", "/lib64?", shown];
		for (const path of [join(shown, "a"), join(named, "b"), `\\0nearfar-sandbox-${process.pid}`]) {
			expect([path, await succeeds(connect(path).replace("python3", "/usr/bin/python3"), { read: python })]).toEqual([
				path,
				false,
			]);
		}
		for (const path of [join(shown, "a"), join(named, "b")]) chmodSync(path, 0o777);
		const reached = await run("/usr/bin/python3", ["-c", connect(join(named, "b")).slice(12, -1)], {
			preset: "closed",
			sockets: [join(named, "b")],
		});
		expect(reached.check().stdout).toBe("hello\n");
	} finally {
		for (const server of servers) server.close();
	}
});

test("SB-23 SB-26 the folders for temporary files are there, private and writable", async () => {
	expect(
		await inside(
			'touch "$TMPDIR/x" ~/y /var/tmp/z /run/w && stat -c %a /tmp /dev/shm "$HOME" | tr "\\n" " "; echo $TMPDIR',
		),
	).toBe("1777 1777 700 /tmp");
	const mark = `nearfar-${process.pid}`;
	await inside(`touch /tmp/${mark} /dev/shm/${mark} ~/${mark}`);
	for (const at of ["/tmp", "/dev/shm", homedir()]) expect(existsSync(join(at, mark))).toBe(false);
	expect(await succeeds("head -c 2m /dev/zero > /tmp/x", { tmp: { size: 1024 * 1024 } })).toBe(false);
	expect(await succeeds("head -c 2m /dev/zero > /tmp/x", { tmp: { size: 4 * 1024 * 1024 } })).toBe(true);
});

test('tmp: "host" is /tmp of the host, and the guarantee says so', async () => {
	const { guarantees, code } = await run("sh", ["-c", `touch /tmp/nearfar-${process.pid}`], {
		preset: "closed",
		tmp: "host",
	});
	expect([code, guarantees.files]).toEqual([0, { relaxed: expect.any(String) }]);
	rmSync(`/tmp/nearfar-${process.pid}`);
});

test('everything of the host is shown read-only with `read: "host"`', async () => {
	const at = folder();
	const options = { preset: "project", write: [at], cwd: at } as const;
	expect(await inside("pwd; ls -d /usr /etc /proc /dev /sys | tr '\\n' ' '", options)).toBe(
		`${at}\n/dev /etc /proc /sys /usr`,
	);
	for (const path of ["/etc/x", "/usr/x", "/x", "/sys/x", "/dev/x"])
		expect([path, await succeeds(`touch ${path}`, options)]).toEqual([path, false]);
	const { mounts, home } = plan(options);
	const shown = mounts
		.filter(({ path }) => path.startsWith(`${home}/`))
		.map(({ path }) => path.slice(home.length + 1).split("/")[0]);
	const entries = (await inside("ls -A ~", options)).split("\n").filter((name) => name !== "");
	expect(entries.toSorted()).toEqual([...new Set(shown)].toSorted());
});

needs("root").test("guarantee 10: a sandbox of root is not root, and its files are root's on the host", async () => {
	const at = folder();
	writeFileSync(join(at, "mine"), "root's");
	chmodSync(join(at, "mine"), 0o600);
	expect(
		await inside(`id -u; cat ${at}/mine; echo x > ${at}/new; stat -c %u ${at}/new ${at}/mine; cat /proc/self/uid_map`, {
			write: [at],
		}),
	).toMatch(/^1000\nroot's1000\n1000\n +1000 +0 +1$/);
	expect(statSync(join(at, "new")).uid).toBe(0);
	expect(await succeeds("cat /etc/shadow", { preset: "project", write: [at] })).toBe(false);
	expect(succeedsOutside("cat /etc/shadow")).toBe(true);
});

needs("root").test("a folder that the sandbox cannot pass shows the listed paths alone", async () => {
	const at = folder();
	mkdirSync(join(at, "private/shown"), { recursive: true });
	writeFileSync(join(at, "private/shown/file"), "x");
	writeFileSync(join(at, "private/secret"), "x");
	chmodSync(join(at, "private"), 0o700);
	const options = { read: ["/usr", "/bin?", "/lib?", "/lib64?", at], write: [join(at, "private/shown")] };
	expect(await inside(`ls ${at}/private; cat ${at}/private/shown/file`, options)).toBe("shown\nx");
});

needs("root").test(
	"what lies in a listed folder that the sandbox cannot pass is an error, or was out of reach before",
	async () => {
		const at = folder();
		mkdirSync(join(at, "inside"));
		writeFileSync(join(at, "secret"), "x");
		chmodSync(at, 0o700);
		const read = ["/usr", "/bin?", "/lib?", "/lib64?", at];
		expect(() => plan({ preset: "closed", read, write: [join(at, "inside")] })).toThrow(
			expect.objectContaining({
				code: "ERR_NEARFAR_SANDBOX_PATH",
				message: expect.stringContaining(`cannot pass ${at}`),
			}),
		);
		expect(await succeeds(`cat ${at}/secret`, { read, hide: [join(at, "secret")] })).toBe(false);
		expect(await succeeds(`test -d ${at}`, { read, hide: [join(at, "secret")] })).toBe(true);
	},
);

// The trees that root writes are opened together with the plan.
needs("an ordinary user").test("a path that is exchanged after it was looked at is refused", async () => {
	const at = folder();
	const source = join(at, "source");
	mkdirSync(source);
	const opening = Sandbox.open({ preset: "closed", write: [source] });
	// The plan is drawn, and process 1 has not begun.
	renameSync(source, join(at, "moved"));
	mkdirSync(source);
	await expect(opening).rejects.toMatchObject({ code: "ERR_NEARFAR_SANDBOX_PATH", step: `write ${source}` });
});
