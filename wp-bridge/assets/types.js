/**
 * The customer types screen: the preview of a mapping and the progress of a run. It calls only this shop.
 */
( () => {
	'use strict';

	const { namespace, running } = window.tillsyncTypes;
	const shared = window.tillsyncScreens;
	const { element, callsTo } = shared;
	const { __, _n, sprintf } = window.wp.i18n;

	const number = ( value ) => value.toLocaleString( document.documentElement.lang || undefined );

	const call = callsTo( namespace );
	const sentence = ( error ) =>
		shared.sentence( error, {
			expired: __( 'Your session has expired. Reload the page and try again.', 'tillsync-bridge' ),
			failed: __( 'That did not work: try again.', 'tillsync-bridge' ),
		} );

	const chosen = ( form ) => {
		const map = {};
		new FormData( form ).forEach( ( value, name ) => {
			const found = /^map\[(\d+)\]\[(\w+)\]$/.exec( name );
			if ( found ) {
				map[ found[ 1 ] ] = { ...map[ found[ 1 ] ], [ found[ 2 ] ]: value };
			}
		} );
		return map;
	};

	const summary = ( found ) => {
		const parts = [
			/* translators: %s: number of customers */
			sprintf( _n( '%s customer gets a role', '%s customers get a role', found.given, 'tillsync-bridge' ), number( found.given ) ),
			/* translators: %s: number of customers */
			sprintf( _n( '%s loses one', '%s lose one', found.taken, 'tillsync-bridge' ), number( found.taken ) ),
			/* translators: %s: number of customers */
			sprintf( _n( '%s is left alone', '%s are left alone', found.left_alone, 'tillsync-bridge' ), number( found.left_alone ) ),
		];
		let looked = '';
		if ( ! found.complete ) {
			/* translators: %s: number of customers */
			const text = __( '(of the first %s customers; the rest follows the same rules)', 'tillsync-bridge' );
			looked = ` ${ sprintf( text, number( found.looked_at ) ) }`;
		}
		return `${ parts.join( ', ' ) }.${ looked }`;
	};

	// On a phone the head precedes each value.
	const cell = ( head, text ) => {
		const made = element( 'td', { textContent: text } );
		made.dataset.head = head;
		return made;
	};

	const person = ( one ) =>
		element(
			'tr',
			{},
			element( 'th', { scope: 'row', textContent: one.name } ),
			cell( __( 'Gets', 'tillsync-bridge' ), one.give || '–' ),
			cell( __( 'Loses', 'tillsync-bridge' ), one.take || '–' ),
			cell( __( 'Note', 'tillsync-bridge' ), one.reason )
		);

	const people = ( found ) => {
		const heads = [ __( 'Customer', 'tillsync-bridge' ), __( 'Gets', 'tillsync-bridge' ), __( 'Loses', 'tillsync-bridge' ), __( 'Note', 'tillsync-bridge' ) ];
		return element(
			'table',
			{ className: 'widefat striped' },
			element( 'thead', {}, element( 'tr', {}, ...heads.map( ( text ) => element( 'th', { scope: 'col', textContent: text } ) ) ) ),
			element( 'tbody', {}, ...found.people.map( person ) )
		);
	};

	const setUpPreview = ( button, form, result ) => {
		button.addEventListener( 'click', async () => {
			if ( button.getAttribute( 'aria-disabled' ) === 'true' ) {
				return;
			}
			button.setAttribute( 'aria-disabled', 'true' );
			result.textContent = __( 'One moment …', 'tillsync-bridge' );
			try {
				const found = await call( 'customer-types/preview', 'POST', { map: chosen( form ) } );
				result.replaceChildren(
					...found.problems.map( ( text ) => element( 'p', { className: 'tillsync-problem', textContent: text } ) ),
					element( 'p', { textContent: summary( found ) } ),
					...( found.people.length > 0 ? [ people( found ) ] : [] )
				);
			} catch ( error ) {
				result.textContent = sentence( error );
			} finally {
				button.removeAttribute( 'aria-disabled' );
			}
		} );
	};

	const follow = ( place ) => {
		window.setTimeout( async () => {
			if ( document.hidden ) {
				document.addEventListener( 'visibilitychange', () => follow( place ), { once: true } );
				return;
			}
			try {
				const progress = await call( 'customer-types/progress' );
				if ( progress.running ) {
					/* translators: 1: number of customers done, 2: number of all customers */
					const text = __( 'Roles: %1$s of %2$s customers done …', 'tillsync-bridge' );
					place.textContent = sprintf( text, number( progress.total - progress.left ), number( progress.total ) );
					follow( place );
				} else {
					/* translators: %s: number of customers */
					place.textContent = sprintf( _n( 'Roles: done, %s customer changed.', 'Roles: done, %s customers changed.', progress.changed, 'tillsync-bridge' ), number( progress.changed ) );
				}
			} catch ( error ) {
				place.textContent = sentence( error );
			}
		}, 3000 );
	};

	const start = () => {
		const button = document.querySelector( '#tillsync-preview' );
		if ( button ) {
			setUpPreview( button, document.querySelector( '#tillsync-role-map' ), document.querySelector( '#tillsync-preview-result' ) );
		}
		if ( running ) {
			follow( document.querySelector( '.tillsync-progress' ) );
		}
	};
	if ( document.readyState === 'loading' ) {
		document.addEventListener( 'DOMContentLoaded', start );
	} else {
		start();
	}
} )();
