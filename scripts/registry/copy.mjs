// A copy of this tree, in which a version can be made and released.
import * as fs from "node:fs";
import { join } from "node:path";
import { addonName, platforms, sliceFolder } from "../platforms.mjs";
import { root, run } from "../run.mjs";

/** Returns the names of the slices that are not built. */
export function missingSlices() {
	const built = (platform) =>
		[addonName(platform), "nearfar-stub"].every((file) => fs.existsSync(join(sliceFolder(platform), file)));
	return platforms.filter((platform) => !built(platform)).map(({ name }) => name);
}

/** Copies the tree with its slices into `copy`, makes the next version there with changesets, and commits that on main. */
export function copyWithVersion(copy) {
	const files = run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
		.split("\0")
		.filter(Boolean);
	for (const file of files)
		if (fs.existsSync(join(root, file))) fs.cpSync(join(root, file), join(copy, file), { verbatimSymlinks: true });
	for (const platform of platforms)
		for (const file of [addonName(platform), "nearfar-stub"])
			fs.cpSync(join(sliceFolder(platform), file), join(copy, "packages/core/npm", platform.name, file));
	// The links in node_modules of a package are relative, and lead to the packages of the copy.
	for (const name of fs.readdirSync(join(copy, "packages"))) {
		const links = join("packages", name, "node_modules");
		if (fs.existsSync(join(root, links)))
			fs.cpSync(join(root, links), join(copy, links), { recursive: true, verbatimSymlinks: true });
	}
	fs.symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
	const git = (...args) =>
		run("git", ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost", ...args], { cwd: copy });
	fs.appendFileSync(join(copy, ".gitignore"), "/node_modules\n");
	git("init", "-q", "-b", "main");
	git("add", "--all");
	git("commit", "-qm", "the tree");
	run("changeset", ["version"], { cwd: copy });
	git("add", "--all");
	git("commit", "-qm", "version");
	return JSON.parse(fs.readFileSync(join(copy, "packages/core/package.json"), "utf8")).version;
}
