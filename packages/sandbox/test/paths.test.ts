import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { needs, skipUnless } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { type Plan, plan, type SandboxOptions } from "../src/index.ts";
import { folder, inside, succeeds } from "./attempts.ts";
import { hash } from "./hash.ts";
import { inProject, outputOf } from "./in-project.ts";

// The rules of paths, one test for each that is not in plan.test.ts or files.test.ts.

/** Makes a folder with these files, whose content is their name. */
function folderOf(...files: string[]): string {
	const at = folder();
	for (const name of files) {
		mkdirSync(join(at, name, ".."), { recursive: true });
		writeFileSync(join(at, name), name);
	}
	return at;
}

/** What a program needs to start. */
const usr = ["/usr", "/bin?", "/lib?", "/lib64?"];

function kindAt({ mounts }: Plan, path: string) {
	return mounts.find((mount) => mount.path === path)?.kind;
}

test("~ is the home directory, and a variable is a name", async () => {
	const home = folderOf("shown/file");
	const at = folderOf("$HOME/file");
	const { plan: drawn } = await inProject(at, "true", {
		read: [...usr, "~/shown", "$HOME"],
		preset: "closed",
		outside: { HOME: home },
	});
	expect([kindAt(drawn, join(home, "shown")), kindAt(drawn, join(at, "$HOME"))]).toEqual(["read", "read"]);
});

test("relative paths count from the working directory of Node, whatever `cwd` is", async () => {
	const at = folderOf("sub/file", "sub/sub/file");
	const { plan: drawn, stdout } = await inProject(at, "pwd", { preset: "closed", write: ["sub/sub"], cwd: "sub/sub" });
	expect(kindAt(drawn, join(at, "sub/sub"))).toBe("write");
	expect(stdout).toBe(`${join(at, "sub/sub")}\n`);
});

test("`hide` and `protect` add to the lists of the preset, and the other lists replace them", async () => {
	const at = folderOf(".env", ".git/config", "own", "kept");
	const [home, other] = [folderOf(".cache/x", ".npm/x"), folderOf("x")];
	const outside = { HOME: home };
	const added = await inProject(at, "true", { hide: ["own"], protect: ["kept"], outside });
	for (const [name, kind] of Object.entries({ own: "hide", ".env": "hide", kept: "protect", ".git/config": "protect" }))
		expect([name, kindAt(added.plan, join(at, name))]).toEqual([name, kind]);
	expect(kindAt(added.plan, join(home, ".cache"))).toBe("scratch");
	const replaced = await inProject(at, "true", { write: [other], scratch: [], outside });
	expect([at, other, join(home, ".cache")].map((path) => kindAt(replaced.plan, path))).toEqual([
		undefined,
		"write",
		undefined,
	]);
});

test("between the preset and the caller the caller wins, at the same path", async () => {
	const at = folderOf(".env", ".git/config", ".git/hooks/x");
	const { plan: drawn } = await inProject(at, "true", { write: [at, join(at, ".env"), join(at, ".git/hooks")] });
	expect(kindAt(drawn, join(at, ".git/config"))).toBe("protect");
	for (const name of [".env", ".git/hooks"]) expect([name, kindAt(drawn, join(at, name))]).not.toEqual([name, "hide"]);
	expect(
		await outputOf(at, "cat .env; echo new > .git/hooks/x", { write: [at, join(at, ".env"), join(at, ".git/hooks")] }),
	).toBe(".env");
	expect(readFileSync(join(at, ".git/hooks/x"), "utf8")).toBe("new\n");
});

test("SB-07 a rule for a link is one for its target: hidden, protected and written", async () => {
	const at = folderOf("real/secret", "real/kept", "real/file");
	symlinkSync(join(at, "real/secret"), join(at, "absolute"));
	symlinkSync("real/kept", join(at, "relative"));
	symlinkSync("relative", join(at, "chained"));
	symlinkSync("nowhere", join(at, "dangling"));
	const before = hash(at);
	const options = {
		write: [at],
		hide: [join(at, "absolute")],
		protect: ["chained", "dangling"],
	};
	expect(await inside(`cat ${at}/absolute ${at}/real/secret ${at}/chained`, options)).toBe("real/kept");
	for (const attempt of ["echo x > chained", "echo x > real/kept", "echo x > absolute", "cat absolute | grep ."])
		expect([attempt, await succeeds(`cd ${at}; ${attempt}`, options)]).toEqual([attempt, false]);
	expect(hash(at)).toBe(before);
	const drawn = plan({ preset: "closed", ...options });
	expect(kindAt(drawn, join(at, "real/secret"))).toBe("hide");
	for (const name of ["read", "write", "hide"] as const)
		expect(refusal(() => plan({ preset: "closed", [name]: [join(at, "dangling")] }))).toMatchObject({
			code: "ERR_NEARFAR_SANDBOX_PATH",
		});
	expect(await inside(`cat ${at}/chained; readlink ${at}/chained`, { read: [...usr, join(at, "chained")] })).toBe(
		"real/keptrelative",
	);
});

test("SB-04 patterns count from each writable path, or from where they say, and follow no link", () => {
	const [one, two, shown] = [folderOf("a/x.pem"), folderOf("x.pem"), folderOf("deep/x.pem", "y.pem")];
	symlinkSync(shown, join(one, "link"));
	const drawn = plan({
		preset: "closed",
		read: [shown],
		write: [one, two],
		hide: ["**/*.pem", join(shown, "*/?.pem")],
		protect: ["[!b]"],
	});
	expect(Object.fromEntries(drawn.matches.map(({ pattern, paths }) => [pattern, paths.toSorted()]))).toEqual({
		"**/*.pem": [join(one, "a/x.pem"), join(two, "x.pem")].toSorted(),
		[join(shown, "*/?.pem")]: [join(shown, "deep/x.pem")],
		"[!b]": [join(one, "a")],
	});
	for (const name of ["read", "write", "scratch"] as const)
		expect(refusal(() => plan({ preset: "closed", [name]: [join(shown, "*.pem")] }))).toMatchObject({
			code: "ERR_NEARFAR_SANDBOX_PATH",
		});
});

test("SB-04 a relative pattern of `hide` counts from the project too where that is shown and not written", async () => {
	const at = folderOf(".env", "a/.env");
	const out = folder();
	const script = "cat .env a/.env";
	for (const options of [
		{ write: [out], read: [...usr, "."] },
		{ write: [], scratch: ["."] },
		{ write: [], read: [...usr, "."], preset: "closed", hide: ["**/.env"] },
	] as const)
		expect(await outputOf(at, script, options)).toBe("");
	expect(
		refusal(() => plan({ preset: "closed", hide: ["**/.env"] })), // nothing of the host is shown that it counts from
	).toMatchObject({ code: "ERR_NEARFAR_SANDBOX_PATH", message: expect.stringContaining("options.hide[0]") });
});

test.each(["../*.pem", "a/../*", "*.{pem,key}", "!*.pem", "**/.env?", "*.pe?", "[z-a]*"])(
	"SB-04 the pattern %s, which would cover something else than it seems to, is a TypeError",
	(pattern) => {
		const at = folder();
		for (const name of ["hide", "protect"] as const)
			expect(refusal(() => plan({ preset: "closed", write: [at], [name]: [pattern] }))).toBeInstanceOf(TypeError);
	},
);

test("SB-05 5000 matches are covered, each of them", async () => {
	const at = folder();
	for (let index = 0; index < 5000; index++) writeFileSync(join(at, `${index}.key`), "secret");
	const options = { write: [at], hide: ["*.key"] };
	expect(await inside(`cat ${at}/*.key | wc -c; ls ${at} | wc -l`, options)).toBe("0\n5000");
});

needs("the program python3").test(
	"a folder between a writable path and a protected one cannot be renamed or removed: EBUSY, and EXDEV across it",
	async () => {
		const at = folderOf(".git/hooks/x", ".git/config", "code");
		const script = `
import errno, os
def attempt(call, *args):
    try: call(*args)
    except OSError as error: print(errno.errorcode[error.errno])
os.chdir("${at}")
attempt(os.rename, ".git", "g2")
attempt(os.rename, ".git/hooks", ".git/h2")
attempt(os.rmdir, ".git")
attempt(os.rename, "code", ".git/code")
attempt(os.link, "code", ".git/code")
`;
		const options = { write: [at], protect: [".git/hooks", ".git/config"] };
		expect(await inside(`python3 - <<'E'\n${script}\nE`, { ...options, read: [...usr, "/etc"] })).toBe(
			"EBUSY\nEBUSY\nEBUSY\nEXDEV\nEXDEV",
		);
	},
);

test("the preset shows the toolchains of PATH in the home directory, through links too, and nothing else of it", async () => {
	const home = folderOf(".nvm/versions/bin/tool", ".cargo/bin/cargo", ".rustup/x", "bin/own", ".ssh/id", "notes");
	mkdirSync(join(home, ".local/share/fnm/v1/bin"), { recursive: true });
	const run = folder();
	symlinkSync(join(home, ".local/share/fnm/v1"), join(run, "multishell"));
	const path = [
		join(home, ".nvm/versions/bin"),
		join(home, ".cargo/bin"),
		`${home}/`,
		`${home}/missing/../..`,
		join(home, "bin"),
		join(home, "gone"),
		join(run, "multishell/bin"),
		"relative",
		process.env.PATH,
	].join(":");
	const { plan: drawn, stdout } = await inProject(folder(), `ls -A ~; test -d ${run}/multishell/bin && echo linked`, {
		outside: { HOME: home, PATH: path },
	});
	expect(stdout).toBe(".cargo\n.local\n.nvm\n.rustup\nbin\nlinked\n");
	const shown = drawn.mounts.filter((mount) => mount.path.startsWith(`${home}/`));
	expect(shown.map(({ path, kind }) => [path.slice(home.length + 1), kind])).toEqual([
		[".cargo/bin", "read"],
		[".local/share/fnm", "read"],
		[".nvm", "read"],
		[".rustup", "read"],
		["bin", "read"],
	]);
});

test("the working directory is that of Node where it is visible, else the first writable folder, else /", async () => {
	const at = folderOf("sub/file");
	const [hidden, file] = [folder(), join(at, "sub/file")];
	expect((await inProject(at, "pwd")).stdout).toBe(`${at}\n`);
	expect((await inProject(hidden, "pwd", { write: [file, at] })).stdout).toBe(`${at}\n`);
	expect((await inProject(hidden, "pwd", { preset: "closed" })).stdout).toBe("/\n");
	expect((await inProject(hidden, "pwd", { write: [at], cwd: join(at, "sub") })).stdout).toBe(`${join(at, "sub")}\n`);
	for (const cwd of [hidden, join(at, "no"), file])
		expect(refusal(() => plan({ preset: "closed", write: [at], cwd }))).toMatchObject({
			code: "ERR_NEARFAR_SANDBOX_PATH",
		});
});

test("devices are there when they are named", async () => {
	const device = ["/dev/kmsg", "/dev/net/tun", "/dev/fuse", "/dev/kvm"].find(existsSync) as string;
	skipUnless(device !== undefined, "/dev/kmsg or another device");
	expect(await succeeds(`test -c ${device}`)).toBe(false);
	expect(await succeeds(`test -c ${device}`, { devices: [device] })).toBe(true);
	expect(refusal(() => plan({ preset: "closed", devices: ["/etc/passwd"] }))).toMatchObject({
		code: "ERR_NEARFAR_SANDBOX_PATH",
	});
});

test("the files of the user name the user, whichever id it sees as its own", async () => {
	const script = "id -un; id -gn; getent passwd $(id -u) | cut -d: -f6";
	const user = { uid: 54321, gid: 54322 };
	for (const options of [
		{},
		{ user },
		{ preset: "closed" },
		{ user, preset: "closed", read: [...usr, "/etc/passwd", "/etc/group"] },
	] as const)
		expect((await outputOf(folder(), script, options)).split("\n")).toEqual([
			expect.stringMatching(/^\D/),
			expect.stringMatching(/^\D/),
			expect.stringMatching(/^\//),
		]);
	expect(await outputOf(folder(), "node -p 'os.userInfo().username'", { user })).toBe("sandbox");
});

test("a file that the caller has for /etc/passwd stays, and a hidden one stays hidden", async () => {
	const user = { uid: 54321, gid: 54322 };
	expect(await inside("cat /etc/passwd", { user, files: { "/etc/passwd": "mine" } })).toBe("mine");
	expect(await outputOf(folder(), "cat /etc/passwd", { user, hide: ["/etc/passwd"] })).toBe("");
});

test('the resolver of the host is readable with network: "host"', async () => {
	skipUnless(existsSync("/etc/resolv.conf"), "/etc/resolv.conf");
	expect(await outputOf(folder(), "cat /etc/resolv.conf", { network: "host" })).toBe(
		readFileSync("/etc/resolv.conf", "utf8").trim(),
	);
});

test("`read` and `scratch` of the caller show a file and a folder of the home directory that the preset hides", async () => {
	const home = folderOf(".tools/bin/x", ".ssh/id");
	const at = folder();
	const options = {
		scratch: ["~/.tools"],
		files: { "~/.gitconfig": "[user]\n\tname = n\n" },
		env: {},
		outside: { HOME: home },
	};
	expect(await outputOf(at, "cat ~/.tools/bin/x; git config user.name; ls -A ~ | tr '\\n' ' '", options)).toBe(
		".tools/bin/xn\n.gitconfig .tools",
	);
});

test("a file that is made up keeps its bits, and lies over the file of the host", async () => {
	const at = folderOf("file");
	chmodSync(join(at, "file"), 0o640);
	const options = { write: [at], files: { [join(at, "file")]: { content: "made", mode: 0o555 } } };
	expect(await inside(`stat -c %a ${at}/file; cat ${at}/file`, options)).toBe("555\nmade");
	expect(statSync(join(at, "file")).mode & 0o777).toBe(0o640);
});

test.each<[string, SandboxOptions]>([
	["cannot hide / of options.hide[0]", { hide: ["/"] }],
	["cannot hide /proc of options.hide[0]", { hide: ["/proc"] }],
	["cannot hide /dev of options.hide[0]", { hide: ["/dev"] }],
	["cannot hide /dev of options.hide[0]", { hide: ["/de*"] }],
	["cannot protect / of options.protect[0]", { protect: ["/"] }],
	["cannot protect /proc of options.protect[0]", { protect: ["/proc"] }],
	["cannot make the file /usr of", { files: { "/usr": "x" } }],
	["cannot make the file / of", { files: { "/": "x" } }],
	["cannot make the file /dev/null of", { files: { "/dev/null": "x" } }],
])("a rule that would not hold is an error: %s", (message, options) => {
	expect(() => plan({ preset: "closed", ...options })).toThrow(
		expect.objectContaining({ code: "ERR_NEARFAR_SANDBOX_PATH", message: expect.stringContaining(message) }),
	);
});
