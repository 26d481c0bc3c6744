/** Stores that a user dismissed a notice. The user does not see it again while its alert is open. */
( () => {
	'use strict';

	document.addEventListener( 'click', ( event ) => {
		const key = event.target.closest?.( '.tillsync-notice .notice-dismiss' )?.closest( '[data-tillsync-cause]' )?.dataset.tillsyncCause;
		if ( key ) {
			// After a failed request the notice appears again on the next page.
			window.wp.apiFetch( { path: window.tillsyncNotices.path, method: 'POST', data: { key }, keepalive: true } ).catch( () => {} );
		}
	} );
} )();
