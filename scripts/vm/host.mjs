// Runs commands on the kernel of this machine, in the root file system of machines.
import { spawn } from "node:child_process";
import { UnavailableError } from "./debian.mjs";
import { systemFolder } from "./system.mjs";

/** Makes the folder the root of a new mount namespace. Its user cannot write outside of /tmp. A chroot would refuse user namespaces. */
const enter = `
mount --rbind "$1" "$1"
cd "$1"
for name in proc sys dev; do mount --rbind /$name $name; done
mount --rbind "$2" tree
for name in run tmp mnt; do mount -t tmpfs -o mode=1777 tmpfs $name; done
pivot_root . .
umount --lazy .
cd /
exec /bin/bash -c "$3"`;

/** Runs a script as root, and returns its exit code, or why it has none. */
export async function runOnHost(arch, { tree, script, seconds, output }) {
	if (process.getuid() !== 0) throw new UnavailableError("root alone can enter another root file system");
	const options = [
		"--mount",
		"--propagation",
		"private",
		"bash",
		"-euc",
		enter,
		"bash",
		systemFolder(arch),
		tree,
		script,
	];
	const child = spawn("setpriv", ["--pdeathsig", "KILL", "unshare", ...options], {
		stdio: ["ignore", "pipe", "pipe"],
		env: { PATH: "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root" },
		timeout: seconds * 1000,
		killSignal: "SIGKILL",
	});
	for (const stream of [child.stdout, child.stderr]) stream.on("data", output);
	const [code, signal] = await new Promise((resolve, reject) => {
		child.on("error", reject);
		child.on("close", (...end) => resolve(end));
	});
	return signal ? { reason: signal } : { code };
}
