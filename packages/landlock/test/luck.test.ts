// Bad luck: strange files and descriptors, many rules, what vanishes or is not ours, and tasks that cannot answer.
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { Location, mkdir, mknod, openat2, pipe, rmdir, symlink, Task, unlink } from "@nearfar/core";
import { setNoNewPrivs } from "@nearfar/process";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import {
	type LandlockPath,
	LandlockRuleset,
	landlock,
	landlockAddRule,
	landlockCreateRuleset,
	landlockRestrictSelf,
} from "../src/index.ts";
import { cloneIn, Folder, inside, make, outcome, path } from "./domain.ts";

const any = { drop: "any" } as const;

needs("Landlock").describe("files of each type", () => {
	test("a rule can be about a fifo, a device, a socket and a link itself, with rights of files alone", async () => {
		using folder = new Folder();
		mknod(folder.at("fifo"), "fifo", { mode: 0o600 });
		symlink("fifo", folder.at("link"));
		await using server = createServer();
		server.listen({ path: folder.at("socket") });
		await once(server, "listening");
		using directory = openat2(folder.path, { flags: ["path"] });
		const link = new Location(directory, "link", { symlinks: false });
		for (const at of [folder.at("fifo"), folder.at("socket"), folder.at("link"), link, "/dev/null"]) {
			using ruleset = landlockCreateRuleset({ fs: ["readFile", "readDir"] });
			expect(outcome(() => landlockAddRule(ruleset, { at, allow: ["readFile"] }))).toBe("ok");
			expect(outcome(() => landlockAddRule(ruleset, { at, allow: ["readDir"] }))).toBe("EINVAL");
		}
		await using task = await cloneIn({ paths: [{ at: "/dev/null", allow: ["device", "all"] }] });
		expect(inside(task, () => openat2("/dev/null", { flags: ["rdwr"] }).close())).toBe("ok");
	});

	test("a rule cannot be about a pipe, a socket, a memfd or a namespace: EBADFD, and nothing is restricted", async () => {
		await using task = await Task.clone();
		const [read, write] = task.run(() => pipe());
		const others = task.run(() => [
			LandlockRuleset.from(make(task, "socket", 1, 1, 0)),
			LandlockRuleset.from(make(task, "memfd_create", path("x"), 1)),
			openat2("/proc/self/ns/uts"),
			landlockCreateRuleset({ fs: ["readFile"] }),
		]);
		for (const at of [read, write, ...others]) {
			expect(inside(task, () => landlock({ paths: [{ at, allow: ["read"], kind: "file" }] }, any))).toBe("EBADFD");
		}
		expect(inside(task, () => openat2("/").close())).toBe("ok");
	});
});

needs("Landlock").describe("many", () => {
	test.each([1000, 10_000])("%i rules leave no descriptor and restrict once", async (length) => {
		using folder = new Folder();
		const paths: LandlockPath[] = Array.from({ length }, () => {
			return { at: folder.path, allow: ["read"], kind: "directory" };
		});
		await using task = await Task.clone();
		// A batch is one message, and outside of a batch each call is one.
		if (length > 1000) await task.batch(() => void landlock({ paths }, any));
		else task.run(() => landlock({ paths }, any));
		expect(inside(task, () => openat2(folder.path).close())).toBe("ok");
		expect(inside(task, () => openat2("/").close())).toBe("EACCES");
	});

	test("16 layers of landlock(), and the 17th is E2BIG and leaves the others", async () => {
		await using task = await Task.clone();
		const rules = { paths: [{ at: "/usr", allow: ["run"] }] } as const;
		const layers = Array.from({ length: 17 }, () => inside(task, () => landlock(rules, any)));
		expect(layers).toEqual([...Array.from({ length: 16 }, () => "ok"), "E2BIG"]);
		expect(inside(task, () => openat2("/usr").close())).toBe("ok");
	});
});

needs("Landlock").describe("what is gone or not ours", () => {
	test("a file that vanishes between its opening and its rule is no error", async () => {
		using folder = new Folder();
		mkdir(folder.at("d"));
		writeFileSync(folder.at("f"), "");
		using directory = openat2(folder.at("d"), { flags: ["path"] });
		using file = openat2(folder.at("f"), { flags: ["path"] });
		rmdir(folder.at("d"));
		unlink(folder.at("f"));
		using ruleset = landlockCreateRuleset({ fs: ["readFile"] });
		for (const at of [directory, file]) {
			expect(outcome(() => landlockAddRule(ruleset, { at, allow: ["readFile"] }))).toBe("ok");
		}
		await using task = await Task.clone();
		expect(
			inside(task, () => landlock({ paths: [{ at: new Location(task.put(directory), "x"), allow: ["read"] }] }, any)),
		).toBe("ENOENT");
	});

	test("a ruleset of another task is refused before any call, and its copy is not", async () => {
		await using one = await Task.clone();
		await using other = await Task.clone();
		using ruleset = one.run(() => landlockCreateRuleset({ fs: ["readDir"] }));
		other.run(() => setNoNewPrivs());
		const mismatch = "ERR_NEARFAR_FD_TABLE_MISMATCH";
		expect(inside(other, () => landlockRestrictSelf(ruleset))).toBe(mismatch);
		expect(inside(other, () => landlockAddRule(ruleset, { at: "/", allow: ["readDir"] }))).toBe(mismatch);
		using near = one.get(ruleset);
		const copy = other.put(near);
		expect(copy).toBeInstanceOf(LandlockRuleset);
		other.run(() => landlockRestrictSelf(copy));
		expect(inside(other, () => openat2("/").close())).toBe("EACCES");
		expect(inside(one, () => openat2("/").close())).toBe("ok");
	});

	test("a ruleset whose number other code has closed is EBADF", async () => {
		await using task = await Task.clone();
		task.run(() => setNoNewPrivs());
		const ruleset = task.run(() => landlockCreateRuleset({ fs: ["readDir"] }));
		task.syscall(process.arch === "arm64" ? 57 : 3, ruleset.fd);
		expect(inside(task, () => landlockRestrictSelf(ruleset))).toBe("EBADF");
		ruleset.take();
	});

	test("a task that was killed is gone", async () => {
		const task = await Task.clone();
		const ruleset = task.run(() => landlockCreateRuleset({ fs: ["readDir"] }));
		task.process.kill("SIGKILL");
		await task.process.exited;
		const gone = "ERR_NEARFAR_TASK_GONE";
		expect(inside(task, () => landlock({ paths: [] }, any))).toBe(gone);
		expect(inside(task, () => landlockCreateRuleset({ fs: ["readDir"] }))).toBe(gone);
		expect(["ERR_NEARFAR_CLOSED", gone]).toContain(inside(task, () => landlockRestrictSelf(ruleset)));
	});

	test("a batch waits for a task that is stopped, and ends with one that is killed while stopped", async () => {
		await using task = await Task.clone();
		task.process.kill("SIGSTOP");
		const batch = task.batch(() => void landlock({ paths: [] }, any));
		task.process.kill("SIGCONT");
		await batch;
		expect(inside(task, () => openat2("/").close())).toBe("EACCES");

		const other = await Task.clone();
		other.process.kill("SIGSTOP");
		const lost = other.batch(() => void landlock({ paths: [] }, any));
		other.process.kill("SIGKILL");
		await expect(lost).rejects.toMatchObject({ code: "ERR_NEARFAR_TASK_GONE" });
	});

	test("a batch that fails at a path restricts nothing", async () => {
		await using task = await Task.clone();
		const code = await task
			.batch(() => {
				for (let i = 0; i < 3; i++) openat2("/");
				landlock({ paths: [{ at: "/nope", allow: ["read"], kind: "file" }] }, any);
			})
			.then(
				() => "ok",
				(error) => error.code,
			);
		expect(code).toBe("ENOENT");
		expect(inside(task, () => openat2("/").close())).toBe("ok");
	});
});
