#!/usr/bin/env bash
# Everything that a graphics card can tell, in under eight minutes: README.md beside this file says what and why.
#
#   run.sh [--small] OUT
#
# OUT/parts.jsonl    one line a part, when it has ended: name, status, seconds, limit
# OUT/figures.jsonl  one line a part that measured something: name, and the figures as the program wrote them
# OUT/log.txt        all that every part printed
# Exit status: 0 if every part passed; 1 otherwise, and the last line names those that did not; 2 for wrong arguments.
set -u

usage() { echo "usage: run.sh [--small] OUT" >&2; exit 2; }
small=
[ "${1:-}" = --small ] && { small=yes; shift; }
if [ $# != 1 ] || [ "${1#-}" != "$1" ] || [ -z "$1" ]; then usage; fi
mkdir -p "$1" || exit 2
[ -e "$1/parts.jsonl" ] && { echo "run.sh: $1 holds results already; give another folder" >&2; exit 2; }
out=$(cd "$1" && pwd)
kit=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d) || exit 2
child=
trap 'rm -rf "$work"' EXIT
trap '[ -n "$child" ] && kill "$child"; exit 130' INT TERM

# Seconds for everything. A software adapter needs minutes to compile what a card compiles at once.
deadline=470 slower=1
[ -n "$small" ] && deadline=1500 slower=10

# 1. The programs, and a Vulkan loader where the machine has none.
unpack() { xz -dc "$1" | tar -xf - -C "$work"; }
command -v xz >/dev/null || unpack() { python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$1" "$work"; }
unpack "$kit/kit.tar.xz" || { echo "run.sh: kit.tar.xz cannot be unpacked; xz or python3 is needed" >&2; exit 1; }
if ! ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1'; then
    for package in "$kit"/loader/*.deb; do
        [ -e "$package" ] && dpkg-deb -x "$package" "$work/loader"
    done
    export LD_LIBRARY_PATH="$work/loader/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
# Drivers that lie where no loader looks: those of containers, for one.
if [ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ] && ! ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json >/dev/null 2>&1; then
    found=$(find /usr/local /opt -path '*/vulkan/icd.d/*.json' 2>/dev/null | paste -sd:)
    [ -n "$found" ] && export VK_DRIVER_FILES=$found
fi
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$work} SSFT_PROGRAM=$work/bin/ssft-wgpu
ours=$SSFT_PROGRAM python=${SSFT_PYTHON:-python3}
cd "$work" || exit 1

# 2. A part: its name, its limit in seconds, its command. Figures are what the command leaves in $json.
json=$work/figures.json
failed=
record() { # name, status, seconds, limit
    printf '{"part":"%s","status":"%s","seconds":%s,"limit_s":%s}\n' "$@" >>"$out/parts.jsonl"
    printf '%-12s %-24s %6s s\n' "$2" "$1" "$3"
    case $2 in passed | absent) ;; *) failed="$failed $1" ;; esac
}
part() {
    local name=$1 limit=$(($2 * slower)) left=$((deadline - SECONDS)) begin=$EPOCHREALTIME status
    shift 2
    if [ $left -lt 5 ]; then record "$name" "no time" 0 "$limit"; return 1; fi
    [ $limit -gt $left ] && limit=$left
    rm -f "$json"
    printf '\n==> %s: %s\n' "$name" "$*" >>"$out/log.txt"
    # In the background, because a shell that waits for its foreground hears no Ctrl-C.
    timeout --kill-after=5 "$limit" "$@" >>"$out/log.txt" 2>&1 </dev/null &
    child=$!
    wait "$child"
    case $? in 0) status=passed ;; 124 | 137) status="timed out" ;; *) status=failed ;; esac
    if [ -s "$json" ]; then
        { printf '{"part":"%s","figures":' "$name"; tr -d '\n' <"$json"; printf '}\n'; } >>"$out/figures.jsonl"
    fi
    record "$name" "$status" "$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $begin }")" "$limit"
    [ "$status" = passed ]
}
absent() { echo "$1: $2" >>"$out/log.txt"; record "$1" absent 0 0; }
small_or() { if [ -n "$small" ]; then echo "$1"; else echo "$2"; fi; }

# 3. The parts, the worthiest first.
# shellcheck disable=SC2046,SC2086 # lists of flags are to be split
parts() {
    part adapter 20 "$ours" devices --json "$json" || return
    nvidia-smi >>"$out/log.txt" 2>&1
    if [ -z "$small" ] && ! grep -q '"hardware": true' "$json"; then
        echo "run.sh: there is no graphics card here; --small takes any adapter" >&2
        failed=" adapter"
        return
    fi

    # Every kernel against its reference; those that multiply matrices with both sizes of a lane's tile.
    part kernels 90 bin/test-kernels $(small_or self_test "")
    part kernels-gpu-tile 60 env SSFT_LANE_TILE=gpu bin/test-kernels $(small_or self_test linear_nll)
    part kernels-software-tile 60 env SSFT_LANE_TILE=software bin/test-kernels $(small_or self_test linear_nll)
    # A run on the card and on the CPU; decoding with a cache and without.
    part steps-parity 60 bin/test-devices the_adapter_gives_the_run_of_the_cpu
    part decode-parity 60 bin/test-decoding adapter

    # A trained model, word for word.
    local ask
    ask="eval --quiet --model model --task maze --temperature 0 --max-tokens 60 --questions $(small_or 1 20)"
    part trained-model 40 bash -c "for device in wgpu cpu; do
        '$ours' $ask --device \$device --json \$device.json || exit
        grep -o '\"text\": *\"[^\"]*\"' \$device.json >\$device.txt || exit
    done; diff cpu.txt wgpu.txt"

    local runs tiny smallest smollm2 qwen lengths wide
    runs="--device wgpu --runs $(small_or 1 5) --json $json"
    tiny="--width $(small_or "16 --inner 32 --layers 1 --heads 2 --vocab 40" "128 --inner 384 --layers 4 --heads 4 --vocab 265")"
    smallest="--width $(small_or "24 --inner 32 --layers 1 --heads 2 --vocab 40" "384 --inner 1024 --layers 8 --heads 6 --vocab 265")"
    smollm2="--width $(small_or "24 --inner 32 --layers 1 --heads 4 --kv-heads 2 --vocab 300" "576 --inner 1536 --layers 30 --heads 9 --kv-heads 3 --vocab 49152")"
    qwen="--width $(small_or "24 --inner 32 --layers 1 --heads 4 --kv-heads 2 --qkv-bias --vocab 300" "896 --inner 4864 --layers 24 --heads 14 --kv-heads 2 --qkv-bias --vocab 151936")"
    lengths="--questions $(small_or "1 --forks 3 --traces 2 --prompt-tokens 5 --trace-tokens 8 --match-tokens 4" "4 --forks 6 --traces 4 --prompt-tokens 32 --trace-tokens 96 --match-tokens 32")"
    wide="--questions $(small_or "1 --forks 3 --traces 2 --prompt-tokens 5 --trace-tokens 8 --match-tokens 4" "2 --forks 6 --traces 4 --prompt-tokens 32 --trace-tokens 128 --match-tokens 32")"

    part bench-heads 60 "$ours" bench kernels $runs --kernels linear_nll,linear_nll_gradients \
        --rows $(small_or "9 --width 12 --vocab 70" "1024 --width 128,576,1024 --vocab 265,49152,151936")
    part bench-heads-software-tile 30 env SSFT_LANE_TILE=software "$ours" bench kernels $runs \
        --kernels linear_nll,linear_nll_gradients --rows $(small_or "9 --width 12 --vocab 70" "1024 --width 576 --vocab 49152")
    part bench-kernels 40 "$ours" bench kernels $runs --rows $(small_or "9 --width 12" "1024 --width 128,576,1024") --kernels \
        linear,linear_gradients,linear_onto,rms_norm,rms_norm_gradients,rotary,rotary_gradients,swiglu,swiglu_gradients,tree_attention,tree_attention_gradients,adamw,sum_of_squares
    local arms="--profile --arms ssft-random,ssft-full,ssft-lazy"
    part steps-tiny 30 "$ours" bench steps $runs $arms $tiny $lengths
    part steps-small 30 "$ours" bench steps $runs $arms $smallest $lengths
    part steps-smollm2 60 "$ours" bench steps $runs $arms $smollm2 $wide
    part steps-qwen 90 "$ours" bench steps $runs $arms $qwen $wide
    part decode 40 "$ours" bench decode $runs --forks $(small_or "2 --prompt-tokens 5 --answer-tokens 4" "6 --prompt-tokens 32,256 --answer-tokens 96")

    # The same training on the card and on the CPU.
    local train
    train="train --quiet --steps $(small_or "3 --preset toy --batch-questions 2 --train-questions 40 --eval-questions 1" "200 --eval-questions 20")"
    part train-wgpu 40 bash -c "'$ours' $train --device wgpu --out wgpu && { printf '['; paste -sd, wgpu/metrics.jsonl; printf ']'; } >'$json'"
    part train-cpu 60 bash -c "'$ours' $train --device cpu --out cpu && { printf '['; paste -sd, cpu/metrics.jsonl; printf ']'; } >'$json'"

    # PyTorch beside it. Without a card for it, it runs on the CPU, only to show that it can.
    local peer precisions
    peer="--runs $(small_or 1 5) --json $json"
    if ! "$python" -c 'import scipy, torch' >>"$out/log.txt" 2>&1; then
        absent torch "no PyTorch and SciPy in $python"
    elif [ -z "$small" ] && ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
        absent torch "PyTorch sees no card"
    else
        peer="$peer --device $(small_or cpu cuda)" precisions=$(small_or f32,bf16 f32,tf32,bf16)
        part torch-check 40 "$python" peers/step.py $peer --precisions $precisions --check $tiny $lengths
        part torch-tiny 30 "$python" peers/step.py $peer --precisions $precisions $tiny $lengths
        part torch-small 30 "$python" peers/step.py $peer --precisions $precisions $smallest $lengths
        part torch-smollm2 40 "$python" peers/step.py $peer --precisions $precisions $smollm2 $wide
        part torch-qwen 40 "$python" peers/step.py $peer --precisions $precisions $qwen $wide
    fi

    # Matrix products alone: the linear maps of these models, and one that is large enough for any card.
    local shapes
    shapes=$(small_or 8x8x12 1536x128x384,1536x384x1024,1088x576x1536,1088x1536x576,1088x896x4864,1088x4864x896,4096x4096x4096)
    part products 30 "$ours" bench products $runs --shapes "$shapes"
    if [ -e bin/ssft-wgpu-autotune ]; then
        # It times some 25 kernels for each product and shape, and would leave a cache of what it found.
        export CUBECL_AUTOTUNE_CACHE=off
        part products-autotune 60 bin/ssft-wgpu-autotune bench products $runs \
            --shapes $(small_or 8x8x12 1088x576x1536,1088x896x4864,4096x4096x4096)
        part steps-tiny-autotune 60 bin/ssft-wgpu-autotune bench steps $runs --arms ssft-random,ssft-lazy $tiny $lengths
    else
        absent products-autotune "the kit was built without it"
    fi
    if grep -q '"part":"torch-tiny"' "$out/parts.jsonl"; then
        part torch-products 30 "$python" peers/products.py $peer --precisions $precisions --shapes "$shapes"
    fi
    # Compiling takes PyTorch a minute for each precision.
    if grep -q '"part":"torch-tiny"' "$out/parts.jsonl"; then
        part torch-tiny-compiled 120 "$python" peers/step.py $peer --precisions $(small_or f32 bf16) --compile $tiny $lengths
    fi
    part memory 90 "$ours" bench memory --device wgpu --json "$json" --steps $(small_or "3 $tiny" 2000)
}

echo "results in $out"
parts
if [ -n "$failed" ]; then
    echo "run.sh: these parts did not pass:$failed; $out/log.txt says why" >&2
    exit 1
fi
echo "every part passed, in $SECONDS s"
