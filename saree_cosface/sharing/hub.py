"""Shared runs on a hub of models: put there, and fetched. huggingface_hub speaks with it, and knows who asks.

``HF_ENDPOINT`` names another hub than the public one, ``HF_TOKEN`` or ``hf auth login`` says who one is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from saree_cosface import __version__
from saree_cosface.runs.run import Run, load_run
from saree_cosface.runs.share import SHARE
from saree_cosface.sharing.contents import belongs, require_known, require_shared
from saree_cosface.sharing.errors import ShareError
from saree_cosface.sharing.new_folder import new_folder

_OF_THE_HUB = ".gitattributes"  # which a hub puts into each repository


def push(folder: Path, repository: str, *, private: bool = False) -> str:
    """Put a shared run on a hub, in place of the one that is there under this name, if there is one.

    Args:
        folder: that :func:`saree_cosface.sharing.share.share` made, and that is as it was then.
        repository: OWNER/NAME; made if need be.
        private: seen by its owner alone.

    Returns:
        its address.

    Raises:
        ShareError: the folder is no shared run, or has changed; the repository holds something else, or is public and
            was to be private; or the hub cannot be asked, or does not allow it.
    """
    share = require_shared(folder)
    mine = {*share.files, SHARE}
    with _told(repository):
        api = HfApi()
        try:
            there = api.model_info(repository)
        except RepositoryNotFoundError:
            api.create_repo(repository, private=private)
            before: set[str] = set()
        else:
            before = {each.rfilename for each in there.siblings or ()} - {_OF_THE_HUB}
            if private and not there.private:
                raise ShareError(f"{repository} is there already, and public: choose another name, or hide it first.")
            if before and not (SHARE in before and all(map(belongs, before))):
                raise ShareError(f"{repository} holds something else than a shared run: choose another name.")
        api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=sorted(mine),
            delete_patterns=sorted(before - mine) or None,
            commit_message=f"Share a run of saree-cosface {__version__}",
        )
        return f"{api.endpoint}/{repository}"


def pull(repository: str, out: Path, *, revision: str | None = None) -> Run:
    """Fetch a shared run from a hub.

    What is in the repository is looked at before anything is fetched, and what was fetched before it is put in place.

    Args:
        repository: OWNER/NAME.
        out: folder to make.
        revision: branch, tag or commit; the newest by default.

    Raises:
        ShareError: there is something at ``out`` already; there is no such repository or revision, or it holds no
            shared run; what came is not what it should be; or the hub cannot be asked.
    """
    with new_folder(out, "pull") as folder:
        with _told(repository, revision):
            found = HfApi().model_info(repository, revision=revision)
            names = {each.rfilename for each in found.siblings or ()} - {_OF_THE_HUB}
            if SHARE not in names:
                raise ShareError(f"{repository}: not a run that `saree-cosface share` made: it has no {SHARE}.")
            require_known(names, f"{repository} has")
            came = folder.with_name("download")
            snapshot_download(repository, revision=found.sha, local_dir=came, allow_patterns=sorted(names))
        for name in sorted(names):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (came / name).replace(folder / name)
        if set(require_shared(folder).files) != names - {SHARE}:
            raise ShareError(
                f"{repository} has other files than its {SHARE} lists; whoever shared it must do so again."
            )
        load_run(folder)  # before it is put in place
    return load_run(out)


@contextmanager
def _told(repository: str, revision: str | None = None) -> Iterator[None]:
    """What goes wrong between here and a hub, in words."""
    try:
        yield
    except RevisionNotFoundError as error:
        raise ShareError(
            f"{repository} has no revision {revision!r}: give a branch, a tag or a commit of it."
        ) from error
    except RepositoryNotFoundError as error:
        raise ShareError(
            f"{repository}: there is no such repository, or this account may not see it: look at its name, and log in "
            "with `hf auth login`, or set HF_TOKEN."
        ) from error
    except LocalEntryNotFoundError as error:
        raise ShareError(f"{repository}: {_AWAY} ({error}).") from error
    except HfHubHTTPError as error:
        if error.response.status_code in (401, 403):
            raise ShareError(
                f"{repository}: this account may not do that there: log in with `hf auth login`, or set HF_TOKEN, as "
                "somebody who may."
            ) from error
        raise ShareError(f"{repository}: the hub says: {error.server_message or error}. Try again later.") from error
    except OfflineModeIsEnabled as error:
        raise ShareError(
            f"{repository}: HF_HUB_OFFLINE is set, so no hub is asked: unset it, and try again."
        ) from error
    except (OSError, ValueError):
        raise  # of this machine, or of the call
    except Exception as error:  # of whichever library huggingface_hub asks with
        raise ShareError(f"{repository}: {_AWAY} ({type(error).__name__}: {error}).") from error


_AWAY = "the hub cannot be reached: see to the network, and to HF_ENDPOINT if it is set"
