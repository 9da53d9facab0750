import { wrongType, wrongValue } from "@nearfar/core/internal";

const known = ["cgroup", "cpu", "cpuset", "dmem", "hugetlb", "io", "irq", "memory", "misc", "pids", "rdma"];

/** The kernel's own files begin so. It makes a directory of such a name without a word, and the directory can hide a file. */
const reserved = new RegExp(`^(${known.join("|")})\\.`);

/**
 * Checks the name of a new directory.
 *
 * @param controllers - The controllers of this kernel, as the directory knows them.
 */
export function checkName(name: unknown, controllers: readonly string[]): string {
	if (typeof name !== "string") throw wrongType("name", "a string", name);
	if (name === "" || name === "." || name === ".." || /[/\0\n]/.test(name)) {
		throw wrongValue("name", 'one component of a path without NUL and newline, and not "." or ".."', name);
	}
	const [first = ""] = name.split(".", 1);
	if (reserved.test(name) || (controllers.includes(first) && name !== first)) {
		throw wrongValue("name", `a name that does not begin with '${first}.', as files of the kernel do`, name);
	}
	return name;
}

/** Checks the name of a file in the directory. */
export function checkFile(file: unknown): string {
	if (typeof file !== "string") throw wrongType("file", "a string", file);
	if (file === "" || file === "." || file === ".." || /[/\0]/.test(file)) {
		throw wrongValue("file", "the name of a file in the directory, without / and NUL", file);
	}
	return file;
}
