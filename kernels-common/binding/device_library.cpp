// SPDX-License-Identifier: BSD-3-Clause
#include "binding/device_library.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <cstdlib>
#include <mutex>
#include <optional>
#include <stdexcept>

namespace flash_attn_npu::binding {

namespace {

constexpr const char* kVariable = "FLASH_ATTN_NPU_DEVICE_LIB";
constexpr const char* kFile = "_ascend910b.so";

std::string directory_of_this_module() {
    Dl_info info;
    if (dladdr(reinterpret_cast<const void*>(&directory_of_this_module), &info) == 0 || info.dli_fname == nullptr)
        return ".";
    const std::string file = info.dli_fname;
    const size_t slash = file.rfind('/');
    return slash == std::string::npos ? "." : file.substr(0, slash);
}

[[noreturn]] void fail(const std::string& path, const std::string& why) {
    throw std::runtime_error("The Ascend device library " + path + " " + why);
}

DeviceLibrary load() {
    const char* named = std::getenv(kVariable);
    const bool by_name = named != nullptr && *named != '\0';
    const std::string path = by_name ? named : directory_of_this_module() + "/" + kFile;
    struct stat file;
    if (stat(path.c_str(), &file) != 0) {
        fail(path, by_name ? std::string("does not exist: ") + kVariable + " names it."
                           : std::string("is not part of this installation: wheels have it when they are built with "
                                         "ASCEND_HOME_PATH set to a CANN toolkit of 8.5 or newer; else ") +
                                 kVariable + " names one.");
    }
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        const char* error = dlerror();
        fail(path, std::string("cannot be loaded: ") + (error != nullptr ? error : "no reason given") +
                       ". It needs the CANN runtime (source set_env.sh of the toolkit) and the driver of the NPU.");
    }
    const auto get = reinterpret_cast<DeviceLibraryFunction>(dlsym(library, kDeviceLibrarySymbol));
    const auto version = reinterpret_cast<DeviceLibraryVersionFunction>(dlsym(library, kDeviceLibraryVersionSymbol));
    if (get == nullptr || version == nullptr) {
        fail(path, std::string("is not a device library of flash-attn-npu: it does not export ") +
                       kDeviceLibrarySymbol + ".");
    }
    const Backend* backend = get(kBackendAbiVersion);
    if (backend == nullptr) {
        fail(path, "has interface version " + std::to_string(version()) + ", and this wheel needs version " +
                       std::to_string(kBackendAbiVersion) + ": build both from the same release.");
    }
    return DeviceLibrary{path, backend};
}

}  // namespace

const DeviceLibrary& device_library() {
    // A failure is not remembered: the variable may be set later.
    static std::mutex mutex;
    static std::optional<DeviceLibrary> loaded;
    const std::lock_guard<std::mutex> lock(mutex);
    if (!loaded) loaded = load();
    return *loaded;
}

}  // namespace flash_attn_npu::binding
