import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { run, Sandbox, type SandboxOptions } from "../../src/index.ts";
import { folder, succeeds, succeedsOutside } from "../attempts.ts";

/** Makes a folder with a secret in it. */
function withSecret(): string {
	const at = folder();
	mkdirSync(join(at, "conf/deep"), { recursive: true });
	for (const path of ["conf/secret", "conf/deep/.env"]) writeFileSync(join(at, path), "secret");
	return at;
}

// Each of these is what a program does in one sandbox, so that the next one shows the secret.
test.each<[string, Pick<SandboxOptions, "hide" | "read" | "protect">, string, string]>([
	[
		"hide",
		{ hide: ["conf/secret"] },
		"mv conf other && mkdir conf && echo decoy > conf/secret",
		"grep -q secret other/secret",
	],
	["hide", { hide: ["conf/deep/*"] }, "mv conf other && mkdir -p conf/deep", "grep -q secret other/deep/.env"],
	[
		"protect",
		{ protect: ["conf/secret"] },
		"mv conf other && mkdir conf && cp other/secret conf",
		"echo x > other/secret",
	],
	["read", { read: ["conf/deep"] }, "mv conf other && mkdir -p conf/deep", "echo x > other/deep/.env"],
])("a folder is not moved away from under %s %j for the next sandbox", async (_, options, first, second) => {
	const at = withSecret();
	const count = (list: SandboxOptions["hide"] = []) =>
		list.map((path) => (`${path}`.includes("*") ? path : join(at, `${path}`)));
	const all: SandboxOptions = {
		write: [at],
		cwd: at,
		...(options.hide && { hide: count(options.hide) }),
		...(options.protect && { protect: options.protect }),
		...(options.read && { read: ["/usr", "/bin?", "/lib?", "/lib64?", join(at, "conf/deep")] }),
	};
	expect(await succeeds(first, all)).toBe(false);
	expect(await succeeds(second, all)).toBe(false);
	expect(succeedsOutside(`cd ${at}; ${first} && ${second}`)).toBe(true);
});

test("a pattern finds a secret wherever a program has moved it, also in a folder that nobody may read", async () => {
	const at = withSecret();
	const options = { write: [at], cwd: at, hide: ["**/.env"] };
	expect(await succeeds("mkdir x && mv conf x/moved && chmod 0 x/moved/deep", options)).toBe(true);
	expect(await succeeds("chmod 700 x/moved/deep; cat x/moved/deep/.env | grep -q secret", options)).toBe(false);
	expect(succeedsOutside(`cd ${at}; chmod 700 x/moved/deep; grep -q secret x/moved/deep/.env`)).toBe(true);
});

test("a secret that is exchanged while the sandbox is being opened is an error", async () => {
	const at = withSecret();
	const opening = Sandbox.open({ preset: "closed", write: [at], hide: [join(at, "conf/secret")] });
	// The plan is drawn, and process 1 has not made the root.
	renameSync(join(at, "conf"), join(at, "other"));
	mkdirSync(join(at, "conf"));
	writeFileSync(join(at, "conf/secret"), "decoy");
	await expect(opening).rejects.toMatchObject({ code: "ERR_NEARFAR_SANDBOX_PATH" });
});

test("what is removed lies in the writable folder, whatever a program has put in the way", async () => {
	const [at, victim] = [folder(), folder()];
	const options: SandboxOptions = {
		preset: "closed",
		write: [at],
		cwd: at,
		protect: [".git/hooks"],
		protectMissing: "remove",
	};
	symlinkSync(victim, join(at, ".git"));
	await run("sh", ["-c", `rm .git; mkdir -p .git; ln -s ${victim}/hooks .git/hooks`], options);
	expect(readdirSync(join(at, ".git"))).toEqual([]);
	mkdirSync(join(victim, "hooks"));
	writeFileSync(join(victim, "hooks/mine"), "host");
	await run("sh", ["-c", `rm -r .git; ln -s ${victim} .git`], options);
	expect(readFileSync(join(victim, "hooks/mine"), "utf8")).toBe("host");
});

test("what is removed may be deeper than descriptors can be open, and not contain a hidden file", async () => {
	const at = withSecret();
	const options: SandboxOptions = {
		...{ preset: "closed", write: [at], cwd: at, hide: ["**/.env"] },
		...{ protect: [".idea"], protectMissing: "remove" },
	};
	const deep = "import os\nos.mkdir('.idea'); os.chdir('.idea')\nfor i in range(3000): os.mkdir('d'); os.chdir('d')";
	const first = await run("/usr/bin/python3", ["-c", deep], options);
	expect([first.code, existsSync(join(at, ".idea"))]).toEqual([0, false]);
	const second = await run("sh", ["-c", "mkdir .idea && mv conf .idea/conf"], options);
	expect(second.violations.map(({ kind, what }) => [kind, what.includes("cannot be removed")])).toContainEqual([
		"appeared",
		true,
	]);
	expect(succeedsOutside(`find ${at} -name .env | xargs grep -q secret`)).toBe(true);
});

needs("an ordinary user").test("what a program has made unreadable is removed, too", async () => {
	const at = folder();
	const { code, stdout, violations } = await run("sh", ["-c", "mkdir -p .idea/x/y && chmod 0 .idea/x; echo done"], {
		...{ preset: "closed", write: [at], cwd: at, protect: [".idea"], protectMissing: "remove" },
	});
	expect([code, stdout, violations.map(({ kind }) => kind)]).toEqual([0, "done\n", ["appeared"]]);
	expect(existsSync(join(at, ".idea"))).toBe(false);
});
