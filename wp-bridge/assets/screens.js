/**
 * What our screens share: elements, calls to this shop's own routes, failures in words, and changes that wait while somebody presses.
 * Values of the service and of people are always set as text, never as markup.
 */
( () => {
	'use strict';

	// A press is a pointer or the space bar that goes down and up on the same element. A page that moves or replaces the element in between
	// loses the press. So whatever arrives meanwhile is shown after it.
	let isPressed = false;
	const waiting = [];
	const press = () => {
		isPressed = true;
	};
	const release = () => {
		// The click comes right after the pointer goes up, in the same turn.
		window.setTimeout( () => {
			isPressed = false;
			waiting.splice( 0 ).forEach( ( goOn ) => goOn() );
		} );
	};
	const whileCaught = { capture: true, passive: true };
	window.addEventListener( 'pointerdown', press, whileCaught );
	window.addEventListener( 'keydown', ( event ) => event.key === ' ' && press(), whileCaught );
	window.addEventListener( 'keyup', release, whileCaught );
	[ 'pointerup', 'pointercancel', 'dragend' ].forEach( ( name ) => window.addEventListener( name, release, whileCaught ) );
	// The pointer went up outside of the window: nobody says so, but it comes back without a button.
	window.addEventListener( 'pointermove', ( event ) => isPressed && event.buttons === 0 && release(), whileCaught );
	window.addEventListener( 'blur', release );

	/** Resolves at once, or after the press that is under way. To be awaited before anything on the page moves by itself. */
	const released = async () => {
		if ( isPressed ) {
			await new Promise( ( resolve ) => {
				waiting.push( resolve );
			} );
		}
	};

	/** An element; properties that are no properties (aria-…, role, data-…) become attributes. Null children are left out. */
	const element = ( name, properties = {}, ...children ) => {
		const made = document.createElement( name );
		Object.entries( properties ).forEach( ( [ key, value ] ) => {
			if ( value === undefined || value === null || value === false ) {
				return;
			}
			if ( key in made && key !== 'role' && key !== 'translate' ) {
				made[ key ] = value;
			} else {
				made.setAttribute( key, value === true ? '' : value );
			}
		} );
		made.append( ...children.flat().filter( ( child ) => child !== null && child !== undefined && child !== '' ) );
		return made;
	};

	/** Calls below a namespace. A nonce that ran out on an open page is renewed by apiFetch itself, once. */
	const callsTo = ( namespace ) => async ( path, method = 'GET', data, signal ) => {
		try {
			return await window.wp.apiFetch( { path: `${ namespace }/${ path }`, method, data, signal } );
		} finally {
			await released();
		}
	};

	/** The login has ended: then apiFetch throws what its renewal of the nonce was answered. */
	const isExpired = ( error ) =>
		error instanceof window.Response || [ 'rest_cookie_invalid_nonce', 'rest_forbidden', 'rest_not_logged_in' ].includes( error?.code );

	/** A failure in words. `words`: `expired` and `failed`. */
	const sentence = ( error, words ) => ( isExpired( error ) ? words.expired : error?.message || words.failed );

	window.tillsyncScreens = { released, element, callsTo, isExpired, sentence };
} )();
