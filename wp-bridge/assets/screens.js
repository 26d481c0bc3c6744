/**
 * Functions that the plugin's screens share: elements, calls to this shop's routes, error sentences, and updates that wait for the end of a
 * press. Values of the service and of people are always set as text, never as markup.
 */
( () => {
	'use strict';

	// A press is a pointer or the space bar that goes down and up on the same element. A page that moves or replaces the element in between
	// loses the press. So updates that arrive during a press are shown after it.
	let isPressed = false;
	const waiting = [];
	const press = () => {
		isPressed = true;
	};
	const release = () => {
		// The browser fires the click right after pointerup, in the same task.
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
	// No event reports a pointer that went up outside of the window. It returns without a pressed button.
	window.addEventListener( 'pointermove', ( event ) => isPressed && event.buttons === 0 && release(), whileCaught );
	window.addEventListener( 'blur', release );

	/** Resolves at once, or after the present press. Callers await it before they move anything on the page. */
	const released = async () => {
		if ( isPressed ) {
			await new Promise( ( resolve ) => {
				waiting.push( resolve );
			} );
		}
	};

	/** Creates an element. Names that are no properties (aria-…, role, data-…) become attributes. Null children are omitted. */
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

	/** Returns a function that calls routes of a namespace. apiFetch itself renews an expired nonce once. */
	const callsTo = ( namespace ) => async ( path, method = 'GET', data, signal ) => {
		try {
			return await window.wp.apiFetch( { path: `${ namespace }/${ path }`, method, data, signal } );
		} finally {
			await released();
		}
	};

	/** Tells whether the login has ended. apiFetch then throws the response to its renewal of the nonce. */
	const isExpired = ( error ) =>
		error instanceof window.Response || [ 'rest_cookie_invalid_nonce', 'rest_forbidden', 'rest_not_logged_in' ].includes( error?.code );

	/** Returns a sentence for an error. `words` has `expired` and `failed`. */
	const sentence = ( error, words ) => ( isExpired( error ) ? words.expired : error?.message || words.failed );

	window.tillsyncScreens = { released, element, callsTo, isExpired, sentence };
} )();
