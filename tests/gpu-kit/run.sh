#!/usr/bin/env bash
# Tests and measures a graphics card in at most eight minutes. README.md in this directory describes every part.
#
#   run.sh [--small] OUT
#
# OUT/parts.jsonl    one line per part that has ended: name, status, seconds, limit
# OUT/figures.jsonl  one line per part with measurements: name, and the figures as the program writes them
# OUT/log.txt        the output of every part
# SSFT_PARTS         only the parts whose name matches this regular expression, such as 'steps-qwen|torch-.*'
# SSFT_SECONDS       time limit of the whole run in seconds [default: 470]
# SSFT_PYTHON        Python with PyTorch and SciPy [default: python3]
# Exit status: 0 if every part passed; 1 otherwise, with the names of the other parts on the last line; 2 for wrong arguments.
set -u
export LC_ALL=C PYTHONUNBUFFERED=1 PATH=$PATH:/usr/sbin:/sbin

usage() {
    echo "usage: run.sh [--small] OUT" >&2
    exit 2
}
small=
if [ "${1:-}" = --small ]; then
    small=yes
    shift
fi
if [ $# != 1 ] || [ "${1#-}" != "$1" ] || [ -z "$1" ]; then usage; fi
mkdir -p "$1" || exit 2
out=$(cd "$1" && pwd)
if [ ! -w "$out" ]; then
    echo "run.sh: $1 cannot be written to" >&2
    exit 2
fi
for name in parts.jsonl figures.jsonl log.txt; do
    if [ -e "$out/$name" ]; then
        echo "run.sh: $1 holds results already; give another folder" >&2
        exit 2
    fi
done
kit=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$(command -v "${SSFT_PYTHON:-python3}") && python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
work=$(mktemp -d) || exit 2
child=
trap 'rm -rf "$work"' EXIT
trap '[ -n "$child" ] && kill "$child"; exit 130' INT TERM HUP
cd "$work" || exit 1

# A software adapter takes minutes to compile shaders that a card compiles in seconds.
seconds=470 slower=1
[ -n "$small" ] && seconds=1500 slower=10
seconds=${SSFT_SECONDS:-$seconds}

# Ends programs with this script, because one that is left running would slow the next run down.
guard=
command -v setpriv >/dev/null && guard="setpriv --pdeathsig TERM"

# 1. The programs, the Vulkan loader, the driver.
unpack() {
    if command -v xz >/dev/null; then
        xz -dc "$1" | tar -xf -
    else
        "$python" -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall()' "$1"
    fi
}
unpack "$kit/kit.tar.xz" || { echo "run.sh: kit.tar.xz cannot be unpacked; xz or Python is needed" >&2; exit 1; }
# Libraries that the machine has are not taken from the kit.
for library in loader/*.so.*; do
    [ -e "$library" ] && ldconfig -p 2>/dev/null | grep -q "^[[:space:]]*$(basename "$library") " && rm "$library"
done
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$work/loader"
# In containers NVIDIA's driver is often outside the directories that the Vulkan loader and EGL search.
nvidia_file() { # folder, standard places
    local folder=$1 place
    shift
    for place in "$@"; do
        ls "$place/$folder"/*nvidia*.json >/dev/null 2>&1 && return
    done
    ls /usr/local/nvidia/share/"$folder"/*nvidia*.json 2>/dev/null ||
        timeout 10 find /usr/local /opt -maxdepth 6 -path "*/$folder/*nvidia*.json" 2>/dev/null | head -n 1
}
if [ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ]; then
    found=$(nvidia_file vulkan/icd.d /usr/share /etc)
    [ -n "$found" ] && export VK_DRIVER_FILES=$found
fi
if [ -z "${__EGL_VENDOR_LIBRARY_FILENAMES:-}" ]; then
    found=$(nvidia_file egl_vendor.d /usr/share/glvnd /etc/glvnd)
    [ -z "$found" ] && found=$(nvidia_file glvnd/egl_vendor.d /usr/share /etc)
    [ -n "$found" ] && export __EGL_VENDOR_LIBRARY_FILENAMES=$found
fi
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$work} SSFT_PROGRAM=$work/bin/ssft-wgpu
ours=bin/ssft-wgpu

# 2. Parts. Arguments of `part`: name, limit in seconds, command. The figures of a part are the file figures.json of its command.
failed=
record() { # name, status, milliseconds, limit
    local time
    time=$(printf '%d.%03d' $(($3 / 1000)) $(($3 % 1000)))
    printf '{"part":"%s","status":"%s","seconds":%s,"limit_s":%s}\n' "$1" "$2" "$time" "$4" >>"$out/parts.jsonl"
    printf '%-10s %-26s %8s s\n' "$2" "$1" "$time"
    case $2 in passed | absent) ;; *) failed="$failed $1" ;; esac
}
milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }
wanted() { [ -z "${SSFT_PARTS:-}" ] || [[ $1 =~ ^(${SSFT_PARTS})$ ]]; }
# Runs a command in the background, because a shell that waits for a foreground command does not handle Ctrl-C.
limited() { # limit, command
    local limit=$1 status
    shift
    # shellcheck disable=SC2086 # the guard is a command with its flags
    $guard timeout --kill-after=5 "$limit" "$@" >>"$out/log.txt" 2>&1 </dev/null &
    child=$!
    wait "$child"
    status=$?
    child=
    return $status
}
part() {
    local name=$1 limit=$(($2 * slower)) left=$((seconds - SECONDS)) begin end code status=failed logged
    shift 2
    wanted "$name" || return 0
    if [ $left -lt 5 ]; then record "$name" "no time" 0 "$limit"; return 1; fi
    [ $limit -gt $left ] && limit=$left
    rm -f figures.json
    printf '\n==> %s: %s\n' "$name" "$*" >>"$out/log.txt"
    logged=$(wc -c <"$out/log.txt") begin=$(milliseconds)
    limited "$limit" "$@"
    code=$? end=$(milliseconds)
    if [ $code = 0 ]; then
        status=passed
        # A filter that matches no test is a failure.
        case $* in *bin/test-*) tail -c "+$logged" "$out/log.txt" | grep -q 'test result: ok. [1-9]' || status=failed ;; esac
    elif [ $code = 124 ] || [ $code = 137 ]; then
        status=killed
        [ $((end - begin)) -ge $((limit * 1000)) ] && status="timed out"
    fi
    if [ -s figures.json ]; then
        printf '{"part":"%s","figures":%s}\n' "$name" "$(tr -d '\n' <figures.json)" >>"$out/figures.jsonl"
    fi
    record "$name" "$status" $((end - begin)) "$limit"
    [ "$status" = passed ]
}
absent() { # name, why
    wanted "$1" || return 0
    printf '\n==> %s: absent, %s\n' "$1" "$2" >>"$out/log.txt"
    record "$1" absent 0 0
}

# 3. Shapes and flags of the parts.
if [ -n "$small" ]; then
    tiny="--width 16 --inner 32 --layers 1 --heads 2 --vocab 40" preset_small=$tiny
    smollm2="--width 24 --inner 32 --layers 1 --heads 4 --kv-heads 2 --vocab 300" qwen="$smollm2 --qkv-bias"
    lengths="--questions 1 --forks 3 --traces 2 --prompt-tokens 5 --trace-tokens 8 --match-tokens 4" long=$lengths
    heads="9 --width 12 --vocab 70" middle_head=$heads kernels="9 --width 12" runs=1 few=1
    answers="--forks 2 --prompt-tokens 5 --answer-tokens 4" questions=1
    train="3 --eval-questions 1 --preset toy --batch-questions 2 --train-questions 40"
    layers=8x8x12 some_layers=8x8x12 many_steps="3 $tiny" other_tile=gpu filter=self_test other_filter=self_test
    torch_device=cpu precisions=f32,bf16 compiled=f32
else
    tiny="--width 128 --inner 384 --layers 4 --heads 4 --vocab 265"
    preset_small="--width 384 --inner 1024 --layers 8 --heads 6 --vocab 265"
    smollm2="--width 576 --inner 1536 --layers 30 --heads 9 --kv-heads 3 --vocab 49152"
    qwen="--width 896 --inner 4864 --layers 24 --heads 14 --kv-heads 2 --vocab 151936 --qkv-bias"
    lengths="--questions 4 --forks 6 --traces 4 --prompt-tokens 32 --trace-tokens 96 --match-tokens 32"
    long="--questions 2 --forks 6 --traces 4 --prompt-tokens 32 --trace-tokens 128 --match-tokens 32"
    heads="1024 --width 128,576,1024 --vocab 265,49152,151936" middle_head="1024 --width 576 --vocab 49152"
    kernels="1024 --width 128,576,1024" runs=5 few=3
    answers="--forks 6 --prompt-tokens 32,256 --answer-tokens 96" questions=20 train="200 --eval-questions 20"
    layers=1536x128x384,1536x384x128,1088x576x1536,1088x1536x576,1088x896x4864,1088x4864x896,4096x4096x4096
    some_layers=1088x576x1536,1088x896x4864,4096x4096x4096 many_steps=2000
    other_tile=software filter='' other_filter=linear_nll torch_device=cuda precisions=f32,tf32,bf16 compiled=bf16
fi
bench="--device wgpu --json figures.json --runs"
arms="--profile --arms ssft-random,ssft-full,ssft-lazy"

# shellcheck disable=SC2086 # lists of flags have to be split
checks() {
    # Every kernel compared with its formula; matrix products also with the other size of a lane's tile.
    part kernels 90 bin/test-kernels $filter || part kernels-serial 60 bin/test-kernels $filter --test-threads 1
    part kernels-other-tile 60 env SSFT_LANE_TILE=$other_tile bin/test-kernels $other_filter
    part steps-parity 60 bin/test-devices a_run_on_the_adapter_equals_that_on_the_cpu
    part decode-parity 60 bin/test-decoding adapter
    # Answers of a trained model on both devices, compared word for word.
    part trained-model 40 bash -c "for device in wgpu cpu; do
        $ours eval --quiet --model model --task maze --temperature 0 --max-tokens 60 --questions $questions \
            --device \$device --json \$device.json || exit
        grep -o '\"text\": *\"[^\"]*\"' \$device.json >\$device.txt || exit
    done; diff cpu.txt wgpu.txt"
}

# shellcheck disable=SC2086
ours_alone() {
    part bench-heads 60 $ours bench kernels $bench $few --kernels linear_nll,linear_nll_gradients --rows $heads
    part bench-heads-other-tile 30 env SSFT_LANE_TILE=$other_tile $ours bench kernels $bench $few \
        --kernels linear_nll,linear_nll_gradients --rows $middle_head
    part bench-kernels 40 $ours bench kernels $bench $runs --rows $kernels --kernels \
        linear,linear_gradients,linear_onto,rms_norm,rms_norm_gradients,rotary,rotary_gradients,swiglu,swiglu_gradients,tree_attention,tree_attention_gradients,adamw,sum_of_squares
    part steps-tiny 30 $ours bench steps $bench $runs $arms $tiny $lengths
    part steps-small 30 $ours bench steps $bench $runs $arms $preset_small $lengths
    part steps-smollm2 60 $ours bench steps $bench $runs $arms $smollm2 $long
    part steps-qwen 90 $ours bench steps $bench $few $arms $qwen $long
    part matmul 30 $ours bench matmul $bench $runs --shapes $layers
}

# PyTorch on the same card. The small run uses the CPU, and shows only that the programs work.
torch=
find_torch() {
    local ask="import scipy, torch; raise SystemExit(not ('$torch_device' == 'cpu' or torch.cuda.is_available()))"
    if [ -n "$python" ] && limited 60 "$python" -c "$ask"; then torch=yes; else
        absent torch "no Python with SciPy and PyTorch, or it sees no card: ${python:-no python3}"
    fi
}
# shellcheck disable=SC2086
torch_alone() {
    [ -n "$torch" ] || return
    local flags="--device $torch_device --json figures.json --runs"
    part torch-check 40 "$python" peers/step.py $flags 1 --precisions $precisions --check $tiny $lengths
    part torch-tiny 30 "$python" peers/step.py $flags $runs --precisions $precisions $tiny $lengths
    part torch-smollm2 40 "$python" peers/step.py $flags $runs --precisions $precisions $smollm2 $long
    part torch-qwen 40 "$python" peers/step.py $flags $few --precisions $precisions $qwen $long
    part torch-matmul 30 "$python" peers/matmul.py $flags $runs --precisions $precisions --shapes $layers
    part torch-small 30 "$python" peers/step.py $flags $runs --precisions $precisions $preset_small $lengths
}

# shellcheck disable=SC2086
the_rest() {
    part decode 40 $ours bench decode $bench $runs $answers
    part train-wgpu 40 bash -c "$ours train --quiet --steps $train --device wgpu --out wgpu &&
        echo \"[\$(paste -sd, wgpu/metrics.jsonl)]\" >figures.json"
    part memory 60 $ours bench memory --device wgpu --json figures.json --steps $many_steps
    if [ -e bin/ssft-wgpu-autotune ]; then
        # Autotune times about 25 kernels for each product and shape. Without this variable it writes a cache of the results.
        export CUBECL_AUTOTUNE_CACHE=off
        part matmul-autotune 60 bin/ssft-wgpu-autotune bench matmul $bench $runs --shapes $some_layers
    else
        absent matmul-autotune "the kit was built without it"
    fi
    part train-cpu 60 bash -c "$ours train --quiet --steps $train --device cpu --out cpu &&
        echo \"[\$(paste -sd, cpu/metrics.jsonl)]\" >figures.json"
    # PyTorch takes a minute to compile.
    [ -n "$torch" ] && part torch-tiny-compiled 120 "$python" peers/step.py --device $torch_device --json figures.json \
        --runs $runs --precisions $compiled --compile $tiny $lengths
    [ -e bin/ssft-wgpu-autotune ] && part steps-tiny-autotune 60 bin/ssft-wgpu-autotune bench steps $bench $runs \
        --arms ssft-random,ssft-lazy $tiny $lengths
}

# Writes to the log what is needed to find out why there is no card.
diagnose() {
    limited 20 env VK_LOADER_DEBUG=all $ours devices
    limited 20 bash -c "env | grep -E '^(VK_|LD_|__EGL|__GLX|NVIDIA)'
        ldconfig -p | grep -E 'vulkan|nvidia|EGL|GLX|X11'
        ls -l /dev/nvidia* /dev/dri loader /usr/share/vulkan/icd.d /etc/vulkan/icd.d /usr/local/nvidia/share/*/*
        ldd \$(ldconfig -p | grep -o '/.*libGLX_nvidia.so.0')"
}

echo "results in $out"
limited 10 nvidia-smi
if part adapter 20 $ours devices --json figures.json && { [ ! -e figures.json ] || grep -q '"name"' figures.json; } &&
    { [ -n "$small" ] || [ ! -e figures.json ] || grep -q '"hardware": true' figures.json; }; then
    find_torch
    checks
    ours_alone
    torch_alone
    the_rest
else
    echo "run.sh: no graphics card was found; --small runs on any adapter" | tee -a "$out/log.txt" >&2
    failed=" adapter"
    diagnose
fi
[ -n "$failed" ] && verdict=failed || verdict=passed
printf '{"part":"all","status":"%s","seconds":%s,"limit_s":%s}\n' "$verdict" $SECONDS "$seconds" >>"$out/parts.jsonl"
if [ -n "$failed" ]; then
    echo "run.sh: these parts did not pass:$failed; see $out/log.txt" >&2
    exit 1
fi
echo "every part passed, in $SECONDS s"
