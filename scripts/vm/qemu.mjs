// Runs a machine in qemu, and ends with it.
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { firmwareFolders, moduleFolder, toolCommand } from "./tools.mjs";

const LAST_LINES = 30;

/**
 * The processors of an x64 machine run in turn. Where a kernel patches its own code, as at the first cpuset, a processor that runs at
 * the same time can meet an int3 that the kernel does not know any more, and the kernel panics.
 */
const machines = {
	x64: {
		program: "qemu-system-x86_64",
		options: ["-accel", "tcg,thread=single", "-M", "q35", "-cpu", "max,la57=off"],
		console: "ttyS0",
	},
	arm64: {
		program: "qemu-system-aarch64",
		options: ["-accel", "tcg,thread=multi", "-M", "virt", "-cpu", "cortex-a76"],
		console: "ttyAMA0",
	},
};

/**
 * Parameters of the kernel. All controllers belong to cgroup v2, and pressure is measured. A kernel that has met a fault of its own
 * panics: a thread that dies in the kernel leaves its locks taken, and the tests would hang.
 */
const parameters = "quiet loglevel=4 panic=-1 oops=panic mitigations=off no_timer_check cgroup_no_v1=all psi=1";

/** Returns the arguments of qemu for a machine without a network, whose disks forget what is written to them. */
function machineOptions(arch, { kernel, initramfs, disks, folder, memory, cpus }) {
	const { options, console } = machines[arch];
	const device = (name, rest) => ["-device", `${name},${rest}`];
	return [
		...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none"],
		...[...options, "-smp", String(cpus), "-m", String(memory), "-kernel", kernel, "-initrd", initramfs],
		...["-append", `console=${console} ${parameters}`],
		...["-chardev", `file,id=console,path=${folder}/console`, "-serial", "chardev:console"],
		...device("virtio-serial-pci", "id=ports"),
		...["-chardev", "stdio,id=output,signal=off", ...device("virtserialport", "chardev=output,nr=1")],
		...["-chardev", `file,id=result,path=${folder}/result`, ...device("virtserialport", "chardev=result,nr=2")],
		...disks.flatMap((path, i) => [
			...["-drive", `file=${path},format=raw,if=none,id=disk${i},snapshot=on`],
			...device("virtio-blk-pci", `drive=disk${i}`),
		]),
	];
}

/**
 * Runs a machine until it ends, or kills it after some seconds.
 *
 * @returns The exit code of the command, or why the machine ended without one.
 */
export async function runMachine(arch, { folder, seconds, output, ...machine }) {
	const command = [
		// The kernel kills the machine when this process ends, however it ends.
		...[...toolCommand("setpriv"), "--pdeathsig", "KILL"],
		...toolCommand(machines[arch].program),
		...firmwareFolders().flatMap((path) => ["-L", path]),
		...machineOptions(arch, { folder, ...machine }),
	];
	const env = { PATH: process.env.PATH, TMPDIR: folder, QEMU_MODULE_DIR: moduleFolder() };
	// The first port counts as closed, and loses what is written to it, once standard input is at its end.
	const child = spawn(command[0], command.slice(1), { env, stdio: "pipe" });
	let late = false;
	const timer = setTimeout(() => {
		late = true;
		child.kill("SIGKILL");
	}, seconds * 1000);
	child.stdout.on("data", output);
	let errors = "";
	child.stderr.setEncoding("utf8").on("data", (text) => {
		errors += text;
	});
	const [status, signal] = await new Promise((resolve, reject) => {
		child.on("error", reject);
		child.on("close", (...end) => resolve(end));
	});
	clearTimeout(timer);
	const result = read(`${folder}/result`).trim();
	if (/^\d+$/.test(result)) return { code: Number(result) };
	const said = read(`${folder}/console`);
	const last = said.trimEnd().split(/\r?\n/).slice(-LAST_LINES).join("\n");
	if (late) return { reason: `the command did not end in ${seconds} s`, late, console: last };
	if (status !== 0) return { reason: `qemu failed (${signal ?? `status ${status}`}): ${errors.trim()}`, console: last };
	if (said.includes("Kernel panic")) return { reason: "the kernel has panicked", panicked: true, console: last };
	return { reason: "the machine ended before the command", console: last };
}

function read(path) {
	return fs.existsSync(path) ? fs.readFileSync(path, "utf8") : "";
}
