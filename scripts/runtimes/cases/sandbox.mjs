// A command in a sandbox. Where root's ids cannot be mapped, as on a tmpfs before Linux 6.3, it is user 0 without capabilities.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { doctor, run, Sandbox } from "@nearfar/sandbox";
import { equal, Skip, truthy } from "../tools.mjs";

const rootFallback = "uid0";

/** Skips the case where the host allows no sandboxes, and says why. */
async function needsSandboxes() {
	const { items } = await doctor();
	const missing = items.find(({ name, ok }) => !ok && ["namespaces", "mounts", "proc", "loopback"].includes(name));
	if (missing) throw new Skip(`no sandboxes: ${missing.name}: ${missing.cause}`);
}

export const sandbox = {
	"a command in a sandbox writes where it may, and nowhere else": async () => {
		await needsSandboxes();
		const folder = mkdtempSync(join(tmpdir(), "nearfar-smoke-"));
		try {
			const script = `echo kept > ${folder}/kept; echo lost > /usr/lost; echo $$; cat /etc/shadow`;
			const { stdout } = await run("sh", ["-c", script], { preset: "closed", write: [folder], rootFallback });
			truthy(/^\d+\n$/.test(stdout));
			equal(readFileSync(join(folder, "kept"), "utf8"), "kept\n");
			equal(existsSync("/usr/lost"), false);
		} finally {
			rmSync(folder, { recursive: true });
		}
	},
	"commands of a sandbox share its memory": async () => {
		await needsSandboxes();
		const sandbox = await Sandbox.open({ preset: "closed" });
		try {
			(await sandbox.run("sh", ["-c", "echo shared > /tmp/note"])).check();
			equal((await sandbox.run("cat", ["/tmp/note"])).stdout, "shared\n");
		} finally {
			await sandbox[Symbol.asyncDispose]();
		}
	},
};
