export default {
	serverExternalPackages: ["@nearfar/core", "@nearfar/process"],
};
