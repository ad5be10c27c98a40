"""`ego figures`: what a run's files and its clips are drawn as."""

import sys


def test_it_draws_into_the_runs_folder_and_says_what_it_drew(run, colours, tmp_path):
    folder = sys.modules["colours"].fit(colours, tmp_path / "runs")
    assert not (folder / "figures").exists()
    said = run("figures", str(folder))
    assert said.exit_code == 0, said.stderr
    drawn = {line.rpartition("/")[2] for line in said.stdout.splitlines()}
    assert {"loss.png", "confusion-validation-verb.png", "classes-validation-verb.png", "tsne.png"} <= drawn
    assert all((folder / "figures" / name).stat().st_size > 1000 for name in drawn)
    assert "nothing to show on frames" in said.stderr
