/* Draws every <div data-chart="id"> from the JSON of that id (common/charts.py) with ECharts.
   Colours come from the style sheet's roles, so charts, badges and both themes agree. The library is
   fetched only on pages with a chart. */
(() => {
  "use strict";

  const LIBRARY = document.currentScript.dataset.echarts;
  const drawn = new Map();
  const seen = new Set();
  let loading = null;

  function library() {
    if (window.echarts) return Promise.resolve(window.echarts);
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = LIBRARY;
      script.onload = () => resolve(window.echarts);
      script.onerror = reject;
      document.head.append(script);
    });
    return loading;
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function roleColour(role) {
    return colour(role === "accent" ? "--accent" : `--role-${role}`);
  }

  function words(value, unit) {
    if (value === null || value === undefined) return "–";
    if (unit === "%") return value === 0 ? "0%" : `${(value * 100).toFixed(1)}%`;
    return value.toLocaleString("en-US");
  }

  function axisWords(value, unit) {
    if (unit === "%") return `${Math.round(value * 1000) / 10}%`;
    if (value >= 1e6) return `${value / 1e6}M`;
    return value >= 1e4 ? `${value / 1e3}k` : value.toLocaleString("en-US");
  }

  /* Names beside lying bars: over as many lines as a bar is high, and what still does not fit is left
     out of the middle, since names that belong together differ at their ends. The tooltip tells the
     whole name. */
  const NAME_LINES = 3;
  const NAME_LINE_PX = 14;
  const NAME_PX_A_LETTER = 7;

  function names(width) {
    const px = Math.round(Math.min(240, Math.max(120, width * 0.36)));
    // Words leave room at the ends of lines.
    const most = Math.floor((px / NAME_PX_A_LETTER) * NAME_LINES * 0.8);
    return { width: px, overflow: "break", lineHeight: NAME_LINE_PX, formatter: (name) => shortened(name, most) };
  }

  function shortened(name, most) {
    const letters = [...name];
    if (letters.length <= most) return name;
    const end = Math.floor((most - 1) / 2);
    return `${letters.slice(0, most - 1 - end).join("").trimEnd()}…${letters.slice(-end).join("").trimStart()}`;
  }

  function option(spec, width) {
    const lying = spec.kind === "rows";
    const line = spec.kind === "line";
    const ink = colour("--ink-3");
    const many = spec.series.length > 1;
    const timed = spec.times.length > 0;
    const places = {
      type: timed ? "time" : "category",
      data: timed ? undefined : spec.x,
      inverse: lying,
      boundaryGap: !line,
      axisLine: { lineStyle: { color: colour("--line-strong") } },
      axisTick: { show: false },
      axisLabel: { color: ink, ...(lying ? { interval: 0, ...names(width) } : { hideOverlap: true, overflow: "truncate", alignMaxLabel: "right" }) },
    };
    const values = {
      type: "value",
      min: 0,
      max: spec.yMax ?? undefined,
      minInterval: spec.unit === "%" ? 0 : 1,
      splitNumber: 4,
      name: lying ? "" : spec.unit === "%" ? "" : spec.unit,
      nameTextStyle: { color: ink, align: "left", padding: [0, 0, 0, -24] },
      nameGap: 12,
      axisLabel: { color: ink, formatter: (value) => axisWords(value, spec.unit) },
      splitLine: { lineStyle: { color: colour("--line") } },
    };
    return {
      animationDuration: 300,
      animationDurationUpdate: 400,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 },
      grid: {
        left: 4,
        right: lying ? 56 : line && many ? 84 : 12,
        top: lying ? 4 : 30,
        bottom: 4,
        outerBoundsMode: "same",
        outerBoundsContain: "axisLabel",
      },
      legend: many && !line
        ? { top: 0, right: 0, icon: "roundRect", itemWidth: 10, itemHeight: 10, textStyle: { color: colour("--ink-2") } }
        : undefined,
      tooltip: {
        trigger: "axis",
        axisPointer: { type: line ? "line" : "shadow", lineStyle: { color: colour("--line-strong") }, shadowStyle: { color: "rgba(120,140,150,.08)" } },
        backgroundColor: colour("--surface"),
        borderColor: colour("--line-strong"),
        textStyle: { color: colour("--ink") },
        valueFormatter: (value) => words(value, spec.unit),
        confine: true,
        extraCssText: lying ? "max-width: 320px; white-space: normal; overflow-wrap: anywhere" : "",
      },
      [lying ? "yAxis" : "xAxis"]: places,
      [lying ? "xAxis" : "yAxis"]: lying ? { ...values, axisLabel: { show: false }, splitLine: { show: false } } : values,
      series: spec.series.map((one) => ({
        name: one.name,
        type: line ? "line" : "bar",
        data: timed ? one.values.map((value, index) => [spec.times[index], value]) : one.values,
        stack: spec.kind === "stack" ? "all" : undefined,
        smooth: false,
        showSymbol: spec.x.length < 3,
        symbolSize: 6,
        lineStyle: { width: 2 },
        areaStyle: line && !many ? { opacity: 0.08 } : undefined,
        barMaxWidth: lying ? 18 : 36,
        barGap: "20%",
        itemStyle: { color: roleColour(one.role), borderRadius: spec.kind === "stack" ? 0 : lying ? [0, 3, 3, 0] : [3, 3, 0, 0] },
        endLabel: line && many ? { show: true, formatter: "{a}", color: roleColour(one.role), fontWeight: 500 } : undefined,
        labelLayout: line && many ? { moveOverlap: "shiftY" } : undefined,
        label: lying ? { show: true, position: "right", color: colour("--ink-2"), formatter: (p) => words(p.value, spec.unit) } : undefined,
        emphasis: { focus: many ? "series" : "none" },
      })),
    };
  }

  async function draw(element) {
    const source = document.getElementById(element.dataset.chart);
    if (!source) return;
    const spec = JSON.parse(source.textContent);
    const echarts = await library();
    if (!element.isConnected) return;
    let chart = drawn.get(element);
    if (!chart) {
      chart = echarts.init(element, null, { renderer: "svg" });
      drawn.set(element, chart);
      forget();
      new ResizeObserver(() => {
        chart.resize();
        if (spec.kind === "rows") chart.setOption({ yAxis: { axisLabel: names(element.clientWidth) } });
      }).observe(element);
      chart.on("click", (event) => {
        const href = spec.series[event.seriesIndex]?.hrefs[event.dataIndex];
        if (href) window.location.assign(href);
      });
    }
    // Drawn again after a live refresh, a chart must not grow from nothing each time.
    const again = seen.has(element.id);
    seen.add(element.id);
    chart.setOption({ ...option(spec, element.clientWidth), ...(again ? { animation: false } : {}) }, true);
  }

  function forget() {
    for (const [element, chart] of drawn) {
      if (element.isConnected) continue;
      chart.dispose();
      drawn.delete(element);
    }
  }

  function drawAll(root) {
    const all = root.matches?.("[data-chart]") ? [root] : root.querySelectorAll("[data-chart]");
    for (const element of all) draw(element);
  }

  drawAll(document);
  document.addEventListener("htmx:load", (event) => drawAll(event.detail.elt));
  document.addEventListener("themechange", () => {
    forget();
    for (const element of drawn.keys()) draw(element);
  });
  // Whoever reads the table behind a chart keeps it open.
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    if (event.detail.target.querySelector(".chart-table[open]")) event.detail.shouldSwap = false;
  });
})();
