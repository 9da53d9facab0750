// Starts Node with several options, in several places: another /proc, another root, a death signal.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { isAlive, stat } from "../../../../test/processes.ts";
import { NodeUnderTest } from "./node.ts";
import { needsPrivilege, privileged } from "./privileged.ts";
import { expectEnd, expectEqualThreads, expectRefused } from "./snapshot.ts";

const model = process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";

/** Returns words that run a shell script in a mount namespace of its own, and then execute what follows. */
function inMounts(script: string, ...more: string[]): string[] {
	const words = ["unshare", ...privileged.slice(1), "--mount", "--propagation", "private", ...more];
	return [...words, "sh", "-euc", `${script}\nexec "$@"`, "sh"];
}

/** Drops capabilities in a Node, and expects all threads to have dropped them. */
async function expectDrop(node: NodeUnderTest): Promise<void> {
	await node.evaluate(({ caps }) => caps.dropCapabilities(["kill"], { process: true }));
	const lines = expectEqualThreads(node).split("\n");
	for (const set of ["CapPrm", "CapEff", "CapBnd"]) expect(lines).toContain(`${set}:\t0000000000000020`);
	await node.evaluate(({ works }) => works());
}

needsPrivilege().test("a change under --inspect", async () => {
	await using node = await NodeUnderTest.start({ wrapper: privileged, node: ["--inspect=127.0.0.1:0"] });
	await expectDrop(node);
	expect(await node.end()).toMatchObject({ code: 0, signal: null });
});

needsPrivilege().test("changes under --cpu-prof, whose timer interrupts the main thread", async () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-prof-"));
	try {
		const options = ["--cpu-prof", `--cpu-prof-dir=${folder}`, "--cpu-prof-interval=100"];
		await using node = await NodeUnderTest.start({ wrapper: privileged, node: options });
		await node.evaluate(({ programs }) => {
			for (let i = 0; i < 500; i++) programs.setNoNewPrivs({ process: true });
		});
		await expectDrop(node);
		await expectEnd(node);
		expect(readdirSync(folder)).toHaveLength(1);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

needsPrivilege().test("a change while the garbage of several threads is collected", async () => {
	await using node = await NodeUnderTest.start({ wrapper: privileged, node: ["--expose-gc"] });
	await node.evaluate(async ({ programs, startWorker, workers }) => {
		await Promise.all([startWorker(), startWorker()]);
		const stop = new Int32Array(new SharedArrayBuffer(4));
		const collecting = workers.map((worker) =>
			worker.evaluate((_, stop) => {
				while (Atomics.load(stop, 0) === 0) globalThis.gc?.();
			}, stop),
		);
		for (let i = 0; i < 500; i++) {
			programs.setNoNewPrivs({ process: true });
			if (i % 50 === 0) globalThis.gc?.();
		}
		Atomics.store(stop, 0, 1);
		await Promise.all(collecting);
	});
	await expectDrop(node);
	await expectEnd(node);
});

test("under the permission model without --allow-addons nothing changes", async () => {
	const options = [model, "--allow-fs-read=*", "--allow-worker", "--allow-child-process"];
	await using node = await NodeUnderTest.start({ node: options });
	const refused = { name: "LoadError", code: "ERR_NEARFAR_PERMISSION" };
	const before = expectEqualThreads(node);
	expect(await node.refusal(({ programs }) => programs.setNoNewPrivs({ process: true }))).toMatchObject(refused);
	expect(expectEqualThreads(node)).toBe(before);
});

test("under the permission model with --allow-addons the change is made", async () => {
	const options = [model, "--allow-fs-read=*", "--allow-worker", "--allow-child-process", "--allow-addons"];
	await using node = await NodeUnderTest.start({ node: options });
	await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
	expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
});

const procs: Record<string, string[]> = {
	"in a pid namespace with a /proc of its own": inMounts("mount -t proc proc /proc", "--pid", "--fork"),
	"in a pid namespace with the /proc of the outer one": inMounts("true", "--pid", "--fork"),
	"with a /proc that hides the processes of others": inMounts(
		"mount -t proc -o hidepid=2 proc /proc",
		"--pid",
		"--fork",
	),
	"with a /proc that has processes alone": inMounts("mount -t proc -o subset=pid proc /proc", "--pid", "--fork"),
};

for (const [what, wrapper] of Object.entries(procs)) {
	needsPrivilege("pid namespaces", "mnt namespaces", "a /proc and a /sys that nothing hides").test(
		`a change ${what}`,
		async () => {
			await using node = await NodeUnderTest.start({ wrapper });
			await node.evaluate(({ core }) => core.Task.clone().then(() => {}));
			const worker = ({ inWorker }: Parameters<Parameters<typeof node.evaluate>[0]>[0]) =>
				inWorker(({ programs }) => programs.setNoNewPrivs({ process: true }));
			await node.evaluate(worker);
			await expectDrop(node);
			await expectEnd(node);
		},
	);

	needs("root", "pid namespaces", "mnt namespaces", "a /proc and a /sys that nothing hides").test(
		`a change of all ids ${what}`,
		async () => {
			await using node = await NodeUnderTest.start({ wrapper });
			for (const id of [1000, 1001]) {
				await node.evaluate(({ credentials }, id) => credentials.setresgid(id, id, 0, { process: true }), id);
			}
			await node.evaluate(({ credentials }) => {
				credentials.setgroups([], { process: true });
				credentials.setresgid(1000, 1000, 1000, { process: true });
				credentials.setresuid(1000, 1000, 1000, { process: true });
			});
			expect(expectEqualThreads(node)).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
			await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
			expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
			await node.evaluate(({ works }) => works());
			await expectEnd(node);
		},
	);
}

/** A folder that looks like the /proc of a process with one thread. */
const fakeProc = `
	mount -t tmpfs none /proc
	mkdir -p /proc/self/fd /proc/self/task/1 /proc/1/task/1 /proc/thread-self
	printf 'Name:\\tnode\\nState:\\tS\\nNSpid:\\t1\\nThreads:\\t1\\n' > /proc/self/status
	cp /proc/self/status /proc/self/task/1/status
	: > /proc/self/maps
`;

const noProcs: Record<string, string[]> = {
	"without a /proc": inMounts("mount -t tmpfs none /proc"),
	"with a folder that looks like a /proc": inMounts(fakeProc),
};

for (const [what, wrapper] of Object.entries(noProcs)) {
	needsPrivilege("mnt namespaces").test(`${what} nothing is changed`, async () => {
		await using node = await NodeUnderTest.start({ wrapper });
		const refusal = await expectRefused(node, { name: "SyscallError" }, ({ caps }) =>
			caps.bounding.drop(["kill"], { process: true }),
		);
		expect(refusal?.code).toMatch(/^E[A-Z]+$/);
		await expectEnd(node);
	});
}

needs("root").test("in a root that only user 0 may search, all ids are changed", async () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-root-"));
	try {
		const script = `
			mount -t tmpfs -o mode=0700 none ${folder}
			for path in /*; do
				[ -d "$path" ] || continue
				if [ -L "$path" ]; then cp -a "$path" ${folder}; continue; fi
				mkdir ${folder}$path
				mount --rbind "$path" ${folder}$path
			done
		`;
		const wrapper = [...inMounts(script), "chroot", folder];
		await using node = await NodeUnderTest.start({ wrapper });
		await node.evaluate(({ credentials }) => {
			credentials.setgroups([], { process: true });
			credentials.setresgid(1000, 1000, 1000, { process: true });
			credentials.setresuid(1000, 1000, 1000, { process: true });
		});
		expect(expectEqualThreads(node)).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
		expect(await node.refusal(({ fs }) => fs.statSync("/proc/self"))).toMatchObject({ code: "EACCES" });
		await expectEnd(node);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

needs("root", "the program setpriv").test("the death signal of Node is kept", async () => {
	await using node = await NodeUnderTest.start({ wrapper: ["setpriv", "--pdeathsig", "SIGTERM"] });
	const signals = () =>
		node.evaluate(({ core }) => {
			const signal = Buffer.alloc(4);
			core.Task.near.syscall(process.arch === "arm64" ? 167 : 157, 2, signal, 0, 0, 0);
			return signal.readInt32LE();
		});
	expect(await signals()).toBe(15);
	await node.evaluate(({ credentials }) => credentials.setresgid(5, 5, 5, { process: true }));
	expect(await signals()).toBe(15);
	await node.evaluate(({ inWorker }) =>
		inWorker(({ credentials }) => credentials.setresuid(1000, 1000, 1000, { process: true })),
	);
	expect(await signals()).toBe(15);
	expect(await node.refusal(({ credentials }) => credentials.setresuid(7, 7, 7, { process: true }))).toBeDefined();
	expect(await signals()).toBe(15);
	await expectEnd(node);
});

needs("root", "the program setpriv").test("the death signal of Node works after all ids have changed", async () => {
	const wrapper = ["sh", "-c", 'setpriv --pdeathsig KILL "$@" & wait', "sh"];
	await using node = await NodeUnderTest.start({ wrapper });
	await node.evaluate(({ credentials }) => credentials.setresuid(1000, 1000, 1000, { process: true }));
	const { pid } = node;
	const parent = Number(stat(pid)?.parent);
	expect(stat(parent)?.name).toBe("sh");
	process.kill(parent, "SIGKILL");
	// The kernel signals Node when its parent ends. Another process reaps it.
	await expect.poll(() => isAlive(pid)).toBe(false);
});
