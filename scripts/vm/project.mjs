// Makes projects as `npm install` makes them on a platform: the packages without the addon, and the slice of the platform.
import * as fs from "node:fs";
import { join } from "node:path";
import { addonName, sliceFolder } from "../platforms.mjs";
import { root } from "../run.mjs";

/** Returns whether the addon and the stub of a platform were built. */
export function isBuilt(platform) {
	return [addonName(platform), "nearfar-stub"].every((name) => fs.existsSync(join(sliceFolder(platform), name)));
}

/** Makes a project with the smoke, with what the packages publish, and with the slice of a platform. */
export function makeProject(project, platform) {
	const scope = join(project, "node_modules/@nearfar");
	for (const name of fs.readdirSync(join(root, "packages")))
		for (const part of ["package.json", "dist"])
			fs.cpSync(join(root, "packages", name, part), join(scope, name, part), { recursive: true });
	const slice = sliceFolder(platform);
	const { name, files } = JSON.parse(fs.readFileSync(join(slice, "package.json"), "utf8"));
	for (const part of ["package.json", ...files]) fs.cpSync(join(slice, part), join(scope, "..", name, part));
	fs.writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
	fs.cpSync(join(root, "scripts/runtimes"), join(project, "smoke"), { recursive: true });
	fs.copyFileSync(new URL("refused.mjs", import.meta.url), join(project, "smoke/refused.mjs"));
}
