import { mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Plan, plan, type SandboxOptions } from "@nearfar/sandbox";
import { expect, test } from "vitest";
import { folder, nearfar } from "./command.ts";

async function planOf(args: readonly string[], cwd?: string): Promise<Plan> {
	const { code, stdout, stderr } = await nearfar(["run", "--dry-run", ...args], cwd === undefined ? {} : { cwd });
	if (code !== 0) throw new Error(stderr);
	return JSON.parse(stdout);
}

const listed = (drawn: Plan, kind: string) => drawn.mounts.filter((each) => each.kind === kind).map(({ path }) => path);

test("each option is an option of the sandbox", async () => {
	const at = realpathSync(folder());
	for (const name of ["w1", "w2", "r", "s", "h"]) mkdirSync(join(at, name));
	const args = ["--preset", "closed", "--write", "w1", "--write=w2", "--read", "r", "--read", "/usr", "--scratch", "s"];
	const more = ["--hide", "w1/../h?", "--protect", "*.lock", "--time", "1.5m", "--processes", "50", "--net", "host"];
	const drawn = await planOf([...args, ...more, "--env", "A=b=c", "--env", "PATH", "--env", "NO_SUCH_VARIABLE"], at);
	expect(drawn).toMatchObject({ preset: "closed", network: "host", limits: { time: 90_000, processes: 50 } });
	expect(listed(drawn, "write").sort()).toEqual([join(at, "w1"), join(at, "w2")]);
	expect(listed(drawn, "read")).toContain(join(at, "r"));
	expect(listed(drawn, "scratch")).toEqual([join(at, "s")]);
	expect(drawn.matches.map(({ pattern }) => pattern)).toContain("*.lock");
	expect(drawn.env).toContain("A");
	expect(drawn.env).not.toContain("NO_SUCH_VARIABLE");
	const network = await planOf([
		"--preset",
		"closed",
		"--allow",
		"a.example",
		"--allow",
		"*.b.example:443",
		"--localhost",
		"5432",
		"--publish",
		"3000",
	]);
	expect(network.network).toMatchObject({
		allow: ["a.example", "*.b.example:443"],
		localhost: [5432],
		publish: [3000],
	});
});

test("the default is that of the sandbox, and -- may be left out", async () => {
	const cwd = folder();
	const drawn = await planOf([], cwd);
	expect(drawn).toMatchObject({ preset: "project", network: "none", cwd: realpathSync(cwd) });
	const outputs = await Promise.all(
		[
			["echo", "-n", "--write"],
			["--", "echo", "-n", "--write"],
		].map((command) => nearfar(["run", "--preset", "closed", ...command])),
	);
	expect(outputs.map(({ stdout }) => stdout)).toEqual(["--write", "--write"]);
	const dashes = await nearfar(["run", "--preset", "closed", "--", "--"]);
	expect(dashes.code).toBe(127);
});

test("1000 options", async () => {
	const at = realpathSync(folder());
	const args = Array.from({ length: 500 }, (_, index) => ["--env", `V${index}=${index}`]).flat();
	const paths = Array.from({ length: 500 }, (_, index) => {
		writeFileSync(join(at, `${index}.key`), "secret");
		return ["--hide", join(at, `${index}.key`)];
	}).flat();
	const script = `echo $V0 $V499; cat *.key | wc -c`;
	expect(await nearfar(["run", ...args, ...paths, "sh", "-c", script], { cwd: at })).toMatchObject({
		code: 0,
		stdout: "0 499\n0\n",
	});
});

test("a variable of the caller comes inside where it is named, and not otherwise", async () => {
	const env = { SECRET: "s", OTHER: "o" };
	const ended = await nearfar(["run", "--preset", "closed", "--env", "OTHER", "sh", "-c", "echo $SECRET$OTHER"], {
		env,
	});
	expect(ended.stdout).toBe("o\n");
});

test("--processes, --hide, --protect and --write hold", async () => {
	const at = realpathSync(folder());
	mkdirSync(join(at, "out"));
	writeFileSync(join(at, "out/keep"), "kept");
	writeFileSync(join(at, "secret.pem"), "secret");
	const options = ["--write", ".", "--protect", "out/keep", "--hide", "*.pem", "--processes", "20"];
	const script = "wc -c < secret.pem; echo a > out/new; (echo b > out/keep); cat out/keep; ulimit -u";
	const ended = await nearfar(["run", ...options, "bash", "-c", script], { cwd: at });
	expect(ended.stdout).toBe("0\nkept20\n");
	expect(ended.stderr).toContain("Read-only file system");
	expect(readFileSync(join(at, "out/new"), "utf8")).toBe("a\n");
});

/** What `--config` takes of each kind, and that the type has it too. */
const everything = {
	preset: "closed",
	read: ["/usr"],
	write: ["w"],
	scratch: ["s?"],
	hide: ["**/*.pem"],
	protect: ["x"],
	protectMissing: "remove",
	files: { "/etc/a": "text", "/etc/b": { content: "c", mode: 0o444 } },
	tmp: { size: 1_000_000 },
	cwd: "w",
	env: { inherit: ["A"], set: { B: "b" } },
	network: {
		allow: ["a.example"],
		deny: ["b.example"],
		localhost: [5432],
		publish: [3000],
		upstream: "http://p.example:3128",
	},
	sockets: [],
	devices: ["/dev/null"],
	user: { uid: 1000, gid: 1000 },
	limits: {
		time: 1000,
		grace: 10,
		processes: 50,
		cpuTime: 1000,
		output: 1,
		fileSize: 1,
		openFiles: 10,
		addressSpace: 2 ** 33,
		memory: 2 ** 31,
		swap: 0,
		cpus: 1.5,
	},
	syscalls: {
		default: "allow",
		rules: [{ calls: ["kill"], action: { errno: "EPERM" }, args: [{ index: 0, op: "==", value: 1 }] }],
	},
	name: "box",
} satisfies SandboxOptions;

test("--config is SandboxOptions as JSON, and the plan is the same", async () => {
	const at = realpathSync(folder());
	mkdirSync(join(at, "w"));
	writeFileSync(join(at, "config.json"), JSON.stringify({ $schema: "./schema.json", ...everything }));
	const drawn = await planOf(["--config", "config.json"], at);
	const before = process.cwd();
	process.chdir(at);
	try {
		expect(drawn).toEqual(JSON.parse(JSON.stringify(plan(everything))));
	} finally {
		process.chdir(before);
	}
});

test("the command line adds to the lists of a file, and replaces the rest", async () => {
	const at = realpathSync(folder());
	for (const name of ["a", "b"]) mkdirSync(join(at, name));
	const file = {
		preset: "closed",
		write: ["a"],
		limits: { time: 5, processes: 7 },
		env: { A: "1" },
		network: { allow: ["a.example"] },
	};
	writeFileSync(join(at, "config.json"), JSON.stringify(file));
	const args = ["--write", "b", "--time", "9s", "--env", "B=2", "--allow", "b.example"];
	const drawn = await planOf(["--config", "config.json", ...args], at);
	expect(listed(drawn, "write").sort()).toEqual([join(at, "a"), join(at, "b")]);
	expect(drawn.limits).toEqual({ time: 9000, processes: 7 });
	expect(drawn.env).toEqual(expect.arrayContaining(["A", "B"]));
	expect(drawn.network).toMatchObject({ allow: ["a.example", "b.example"] });
});

test("--memory, --swap and --cpus", async () => {
	const drawn = await planOf(["--memory", "1.5g", "--swap", "0", "--cpus", "0.5", "--processes", "9"], folder());
	expect(drawn.limits).toEqual({ memory: 1.5 * 2 ** 30, swap: 0, cpus: 0.5, processes: 9 });
	const bytes = await planOf(["--memory=5000000", "--swap=512k", "--cpus=2"], folder());
	expect(bytes.limits).toEqual({ memory: 5_000_000, swap: 512 * 1024, cpus: 2 });
});

test.each([
	["no JSON", "{", "is no JSON"],
	["a file that was cut off", '{"preset":"closed","write":["', "is no JSON"],
	["nothing", "", "is no JSON"],
	["an array", "[]", "holds an array"],
	["null", "null", "holds null"],
	["a text", '"closed"', "holds a string"],
	["an unknown key", '{"wriet":[]}', 'the key "wriet"'],
	["an unknown key below", '{"limits":{"time":1,"tme":2}}', 'the key "limits.tme"'],
	[
		"an unknown key in a list",
		'{"syscalls":{"default":"allow","rules":[{"calls":[],"acton":1}]}}',
		'"syscalls.rules[0].acton"',
	],
	["an unknown key of a file", '{"files":{"/a":{"content":"","mod":1}}}', '"files./a.mod"'],
	["an unknown key of env", '{"env":{"inherit":true,"sett":{}}}', "env.sett"],
	["a name of Object.prototype", '{"toString":1}', 'the key "toString"'],
	["__proto__", '{"__proto__":{"preset":"closed"}}', 'the key "__proto__"'],
	["a function that JSON does not have", '{"network":{"ask":true}}', '"network.ask"'],
	["a signal", '{"signal":{}}', 'the key "signal"'],
	["a value of another type", '{"write":"."}', "options.write"],
	["a NUL byte", '{"write":["a\\u0000b"]}', "options.write[0]"],
	["a NUL byte in a variable", '{"env":{"A":"a\\u0000b"}}', "options.env.A"],
])("--config with %s", async (_, text, message) => {
	const at = folder();
	writeFileSync(join(at, "config.json"), text);
	const { code, stdout, stderr } = await nearfar(["run", "--config", "config.json", "echo", "ran"], { cwd: at });
	expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
	expect(stderr).toContain(message);
});

test("--config that cannot be read", async () => {
	for (const file of ["/no/such/file", "/usr", ""]) {
		const { code, stderr } = await nearfar(["run", "--config", file, "true"]);
		expect(code).toBe(125);
		expect(stderr).toContain("cannot be read");
	}
});
