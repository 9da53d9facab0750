import { type BatchError, type SyscallError, Task } from "@nearfar/core";
import { type FsContext, fsmount, fsopen, Mount } from "@nearfar/mount";
import { describe, expect, test } from "vitest";
import { has, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { ownMounts } from "./sandbox.ts";

const syscall = "fsconfig";
const log = [expect.stringMatching(/^tmpfs: Bad value for 'size'/)];
const refused = (fn: () => unknown) => refusal(fn) as SyscallError;
const rejection = (batch: Promise<unknown>) =>
	batch.then(
		() => ({}) as SyscallError,
		(error: unknown) => error as SyscallError,
	);

/** Clones a task with mounts of its own, and opens a context in it. */
async function withContext(fn: (task: Task, context: FsContext) => unknown): Promise<void> {
	await using task = await Task.clone(ownMounts);
	using context = task.run(() => fsopen("tmpfs"));
	await fn(task, context);
}

test("the error of a far call has the messages, and the log has them no more", () =>
	withContext((task, context) =>
		task.run(() => {
			expect(refused(() => context.setString("size", "much"))).toMatchObject({ code: "EINVAL", syscall, log });
			expect(context.log()).toEqual([]);
			const { message } = refused(() => context.setString("size", "more"));
			expect(message).toContain("'size'");
			expect(message).toContain("Bad value");
		}),
	));

needs("root").test("the error of a near call has the messages", () => {
	using context = fsopen("tmpfs");
	expect(refused(() => context.setString("size", "much"))).toMatchObject({ code: "EINVAL", syscall, log });
	expect(context.log()).toEqual([]);
	expect(refused(() => context.create().create()).log).toBeUndefined();
});

test("an error without messages has no log", () =>
	withContext((task, context) =>
		task.run(() => {
			context.create();
			const error = refused(() => context.create());
			expect(error.code).toBe("EBUSY");
			expect("log" in error).toBe(false);
		}),
	));

test("messages of a call that succeeded are read by log, with their level", () =>
	withContext((task, context) =>
		task.run(() => {
			using copy = context.dup();
			// The error takes the messages away, so they are provoked by the call itself.
			const SYS_fsconfig = 431;
			const [key, value] = [Buffer.from("size\0"), Buffer.from("much\0")];
			expect(refused(() => task.syscall(SYS_fsconfig, copy, 1, key, value, 0))).toMatchObject({ code: "EINVAL" });
			expect(context.log()).toEqual([{ level: "error", text: log[0] }]);
			expect(context.log()).toEqual([]);
		}),
	));

test("of more than eight messages the kernel keeps the last eight, and an error has all of them", () =>
	withContext((task, context) =>
		task.run(() => {
			const SYS_fsconfig = 431;
			const provoke = (index: number) => {
				const key = Buffer.from(`unknown-${index}\0`);
				refused(() => task.syscall(SYS_fsconfig, context, 0, key, 0, 0));
			};
			for (let index = 0; index < 12; index++) provoke(index);
			expect(context.log().map(({ text }) => text)).toEqual(
				[4, 5, 6, 7, 8, 9, 10, 11].map((index) => expect.stringContaining(`unknown-${index}'`)),
			);
			for (let index = 0; index < 12; index++) provoke(index);
			const error = refused(() => context.setFlag("the-last"));
			expect(error.log).toHaveLength(8);
			expect(error.log?.at(-1)).toContain("the-last");
		}),
	));

test("the error of a helper has the messages, and what the helper made is closed", async () => {
	await using task = await Task.clone(ownMounts);
	const lowest = () => task.run(() => fsopen("tmpfs"));
	using before = lowest();
	const error = task.run(() => refused(() => Mount.create("tmpfs", { data: { size: "much" } })));
	expect(error).toMatchObject({ code: "EINVAL", syscall, log });
	using after = lowest();
	expect(after.fd).toBe(before.fd + 1);
});

describe("in a batch", () => {
	test("the log of a context from before the batch, whichever call fails", () =>
		withContext(async (task, context) => {
			const other = () => fsopen("tmpfs").close();
			const wrong = () => context.setString("size", "much");
			for (const [step, calls] of [
				[0, [wrong, other]],
				[2, [other, wrong, other]],
				[2, [other, wrong]],
			] as const) {
				const error = await rejection(
					task.batch(() => {
						for (const call of calls) call();
					}),
				);
				expect(error).toMatchObject({ code: "EINVAL", syscall, log, step });
			}
			expect(task.run(() => context.log())).toEqual([]);
		}));

	test("the log of a context that the batch makes, and closes", async () => {
		await using task = await Task.clone(ownMounts);
		const error = await rejection(
			task.batch(() => {
				using context = fsopen("tmpfs");
				context.setString("size", "1m").setString("size", "much");
			}),
		);
		expect(error).toMatchObject({ code: "EINVAL", syscall, log, step: 2 });
		const created = await rejection(
			task.batch(() => {
				Mount.create("tmpfs", { data: "size=much" });
			}),
		);
		expect(created).toMatchObject({ code: "EINVAL", syscall, log });
		task.run(() => {
			using next = fsopen("tmpfs");
			using after = fsopen("tmpfs");
			expect(after.fd).toBe(next.fd + 1);
		});
	});

	test("the log in a batch that ends with a program", async () => {
		await using task = await Task.clone(ownMounts);
		const error = await rejection(
			task.batch(() => {
				fsopen("tmpfs").setString("size", "much").create().close();
				task.exec("true", ["true"]);
			}),
		);
		expect(error).toMatchObject({ code: "EINVAL", syscall, log, step: 1 });
		task.run(() => fsopen("tmpfs").close());
	});

	test("the log of a batch that clones the task", async () => {
		const error = await rejection(
			Promise.resolve(Task.clone(ownMounts)).then(async (task) => {
				await using _ = task;
				await task.batch(() => Mount.create("tmpfs", { data: { size: "much" } }));
			}),
		);
		expect(error).toMatchObject({ code: "EINVAL", log });
	});

	needs("root").test("the log of a near batch", async () => {
		const error = await rejection(Task.near.batch(() => Mount.create("tmpfs", { data: { size: "much" } })));
		expect(error).toMatchObject({ code: "EINVAL", syscall, log, step: 2 });
	});

	test("log() is a BatchError", () =>
		withContext(async (task, context) => {
			let error: BatchError | undefined;
			await task.batch(() => {
				error = refusal(() => context.log()) as BatchError;
			});
			expect(error).toMatchObject({ code: "ERR_NEARFAR_BATCH" });
		}));

	test("a mount and a context that a batch makes are used by the same batch", async () => {
		await using task = await Task.clone(ownMounts);
		let kept: Mount | undefined;
		await task.batch(() => {
			using context = fsopen("tmpfs").set({ size: "1m", ro: true }).create();
			kept = fsmount(context);
			kept.open("").close();
		});
		expect(kept).toBeInstanceOf(Mount);
		task.run(() => kept?.open("").close());
		kept?.close();
	});
});

test("no error shows a secret among the parameters", () =>
	withContext((task, context) =>
		task.run(() => {
			const attempts = [
				() => context.setString("password", "swordfish"),
				() => context.setFlag("password=swordfish"),
				() => context.set("user=name%swordfish"),
				() => context.set({ secret: "swordfish" }),
				() => Mount.create("tmpfs", { data: { pass: "swordfish" } }),
			];
			for (const attempt of attempts) {
				const error = refused(attempt);
				expect(error.code).toBe("EINVAL");
				expect(error.message).not.toContain("swordfish");
			}
			expect(refused(() => context.setString("password", `${"x".repeat(256)}swordfish`)).message).not.toContain(
				"swordfish",
			);
			expect(refused(() => context.setString("password", "swordfish\0")).message).not.toContain("swordfish");
			expect(refused(() => context.set({ password: "swordfish\0" })).message).not.toContain("swordfish");
		}),
	));

test("a task that ends before its log is read still reports the refusal, or that it is gone", async () => {
	const task = await Task.clone(ownMounts);
	const batch = rejection(
		task.batch(() => {
			using context = fsopen("tmpfs");
			context.setString("size", "much");
		}),
	);
	task.process.kill("SIGKILL");
	expect((await batch).code).toMatch(/^(EINVAL|ERR_NEARFAR_TASK_GONE)$/);
	await task[Symbol.asyncDispose]();
	expect(has("/proc")).toBe(true);
});

test("the error of a command names the command and the file system", async () => {
	await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	task.run(() => {
		using context = fsopen("tmpfs").create();
		expect(refused(() => context.create()).message).toContain("fsconfig create of tmpfs");
		expect(refused(() => context.reconfigure()).message).toContain("fsconfig reconfigure of tmpfs");
	});
});
