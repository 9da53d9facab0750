import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Location, openat2, pipe, Task } from "@nearfar/core";
import { type LandlockPath, landlockAbi } from "@nearfar/landlock";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { run, type SpawnOptions, spawn } from "../../src/index.ts";

const system = { at: "/usr", allow: ["run"], kind: "directory" } as const;
const here = { at: ".", allow: ["write"], kind: "directory" } as const;
const domain = { paths: [system, here], drop: "any" } as const;

function temporary() {
	const path = mkdtempSync(join(tmpdir(), "nearfar-spawn-landlock-"));
	return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

needs("Landlock").describe("the option landlock", () => {
	test.each([{}, { killTree: true }, { setup: () => {} }, { seccomp: { default: "allow" } }] as SpawnOptions[])(
		"restricts the program and what it starts: %j",
		async (options) => {
			using folder = temporary();
			const script = "echo x > f; sh -c 'cat /etc/passwd'";
			const result = await run("sh", ["-c", script], { ...options, cwd: folder.path, landlock: domain });
			expect(result).toMatchObject({ code: 1, stdout: "", landlock: { level: 3, abi: landlockAbi() } });
			expect(readFileSync(join(folder.path, "f"), "utf8")).toBe("x\n");
		},
	);

	test("what holds is on the program, and undefined without the option", async () => {
		await using child = await spawn("true", [], { landlock: { paths: [system], drop: "any" } });
		expect(child.landlock?.level).toBe(3);
		await using free = await spawn("true");
		expect(free.landlock).toBeUndefined();
		expect(Object.hasOwn(await run("true"), "landlock")).toBe(false);
	});

	test("a program that may not be executed is EACCES, with a hint", async () => {
		const spawning = run("true", [], { landlock: { paths: [], drop: "any" } });
		await expect(spawning).rejects.toMatchObject({ code: "EACCES", hint: expect.stringContaining("execute") });
	});

	test("descriptors and locations are those of Node, also with a setup, and are copied at the call", async () => {
		using folder = temporary();
		writeFileSync(join(folder.path, "f"), "text");
		for (const setup of [undefined, () => {}]) {
			const fd = openat2(folder.path, { flags: ["path"] });
			const paths = [system, { at: new Location(fd, "f"), allow: ["read"], kind: "file" }] as const;
			const running = run("cat", [join(folder.path, "f")], {
				...(setup && { setup }),
				landlock: { paths, drop: "any" },
			});
			fd.close();
			expect(await running).toMatchObject({ code: 0, stdout: "text" });
		}
		const [read, write] = pipe();
		const ofPipe = run("true", [], { landlock: { paths: [{ ...system, at: read }], drop: "any" } });
		await expect(ofPipe).rejects.toMatchObject({ code: "EBADFD" });
		for (const end of [read, write]) end.close();
	});

	test("all of the rules is copied at the call", async () => {
		using folder = temporary();
		const file = join(folder.path, "f");
		writeFileSync(file, "text");
		const [url, bytes, path] = [new URL("file:///usr"), Buffer.from(folder.path), Buffer.from("f")];
		const allow: LandlockPath["allow"][number][] = ["run"];
		for (const setup of [undefined, () => {}]) {
			using fd = openat2(folder.path, { flags: ["path"] });
			const paths: LandlockPath[] = [
				{ at: url, allow, kind: "directory" },
				{ at: bytes, allow: ["readDir"], kind: "directory" },
				{ at: new Location(fd, path), allow: ["read"], kind: "file" },
			];
			const running = run("sh", ["-c", `cat ${file} && ls ${folder.path}`], {
				...(setup && { setup }),
				landlock: { paths, drop: "any" },
			});
			url.pathname = "/nope";
			allow.splice(0);
			for (const each of [bytes, path]) each.fill("x");
			expect(await running).toMatchObject({ code: 0, stdout: "textf\n" });
			url.pathname = "/usr";
			allow.push("run");
			bytes.write(folder.path);
			path.write("f");
		}
	});

	test("a path that does not exist is ENOENT, and nothing is left of the program", async () => {
		const paths = [system, { at: "/nope", allow: ["read"], kind: "file" }] as const;
		const spawning = spawn("true", [], { landlock: { paths, drop: "any" } });
		await expect(spawning).rejects.toMatchObject({ code: "ENOENT", path: "/nope" });
	});

	needs("root").test("after another user, capabilities and a limit of open files", async () => {
		const options = { uid: 1000, gid: 1000, capabilities: [], limits: { nofile: 64 } } as const;
		const result = await run("id", ["-u"], { ...options, landlock: { paths: [system], drop: "any" } });
		expect(result).toMatchObject({ code: 0, stdout: "1000\n" });
	});

	needs("ABI 6 of Landlock").test("the supervisor of killTree is outside of the scope of signals", async () => {
		const script = "kill -9 $PPID; echo $?; kill -0 $$; echo $?";
		const landlock = { paths: [system], scope: ["signal"] } as const;
		expect((await run("sh", ["-c", script], { killTree: true, landlock })).stdout).toBe("1\n0\n");
	});

	test("the domain of a parent task counts too", async () => {
		await using parent = await Task.clone();
		const result = await run("sh", ["-c", "cat /etc/passwd"], { parent, landlock: { paths: [system], drop: "any" } });
		expect(result.code).toBe(1);
	});
});

test("wrong rules are refused before anything happens", async () => {
	const code = (landlock: unknown) =>
		run("true", [], { landlock } as never).then(
			() => "ok",
			(error) => error.code,
		);
	const message = (landlock: unknown) =>
		run("true", [], { landlock } as never).then(
			() => "ok",
			(error) => error.message,
		);
	expect(await code({})).toBe("ERR_INVALID_ARG_VALUE");
	expect(await code(true)).toBe("ERR_INVALID_ARG_TYPE");
	expect(await code({ paths: [{ at: "/usr", allow: ["run"] }], drop: "any" })).toBe("ERR_INVALID_ARG_VALUE");
	expect(await code({ paths: [{ ...system, optional: true }], drop: "any" })).toBe("ERR_INVALID_ARG_VALUE");
	expect(await code({ paths: [system], process: true })).toBe("ERR_INVALID_ARG_VALUE");
	for (const absent of [null, false, 0, ""]) {
		expect(await code({ paths: absent, scope: ["signal"] })).toBe("ERR_INVALID_ARG_TYPE");
		expect(await code({ paths: [system], ports: absent })).toBe("ERR_INVALID_ARG_TYPE");
		expect(await code({ paths: [system], scope: absent })).toBe("ERR_INVALID_ARG_TYPE");
		expect(await code({ paths: [system], flags: absent })).toBe("ERR_INVALID_ARG_TYPE");
	}
	expect(await code({ paths: [undefined] })).toBe("ERR_INVALID_ARG_TYPE");
	expect(await message({ paths: [{ ...system, allow: ["reed"] }] })).toContain("options.landlock.paths[0].allow[0]");
	if (landlockAbi() < 11) {
		expect(await code({ scope: ["signal"], flags: ["noNewPrivs"] })).toBe("ERR_NEARFAR_LANDLOCK_UNAVAILABLE");
	}
});
